"""The loop over the cases of a run in one process: the networks stay in memory from one CT to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import NOTHING_AGAIN, Attempt, Redo, attempt
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.job.reporting import Reporter, SilentReporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache

_POLL_SECONDS = 0.5
"""Between two looks whether other processes have finished what they are at."""


def run_cases(
    cases: Sequence[Case],
    task: CaseTask,
    folder: BatchFolder,
    on_outcome: Callable[[Case, Attempt], None] = lambda case, attempt: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    reporter_of: Callable[[Case], Reporter] = lambda case: SilentReporter(),
    redo: Redo = NOTHING_AGAIN,
    cache: EngineCache | None = None,
) -> None:
    """Does every case once, or waits until other processes have done those that they are at.

    ``on_outcome`` is called for each case once, also for those that were done before. A case over which processes have
    ended comes last: should it end this one too, the others are done.
    Raises SegmentationError with one of run_case.STOPS_THE_RUN, KeyboardInterrupt.
    """
    cache = cache or EngineCache()
    open_cases = sorted(cases, key=lambda case: folder.deaths(case.id))
    while open_cases:
        busy = []
        for case in open_cases:
            if is_cancelled():
                raise SegmentationError("CANCELLED")
            made = attempt(case, task, folder, cache, reporter_of(case), redo)
            if made.outcome is None:
                busy.append(case)
            else:
                on_outcome(case, made)
        if len(busy) == len(open_cases):
            time.sleep(_POLL_SECONDS)
        open_cases = busy
