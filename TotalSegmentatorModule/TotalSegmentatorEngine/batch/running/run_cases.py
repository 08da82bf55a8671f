"""The loop over the cases of a run in one process: the networks stay in memory from one CT to the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_pipeline import CasePipeline, OpenCase
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import NOTHING_AGAIN, Attempt, Redo, take
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.outcome import Outcome
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
    Raises SegmentationError with one of case_steps.STOPS_THE_RUN, KeyboardInterrupt.
    """

    def openable() -> Iterator[OpenCase]:
        """Claims one case after the other; those that other processes are at are ``busy``."""
        for case in left:
            if is_cancelled():
                raise SegmentationError("CANCELLED")
            taken = take(case, task, folder, redo)
            if taken is None:
                busy.append(case)
            elif isinstance(taken, Attempt):
                on_outcome(case, taken)
            else:
                yield OpenCase(case, taken, reporter_of(case))

    def on_done(case: Case, outcome: Outcome | None) -> None:
        if outcome is None:
            busy.append(case)
        else:
            on_outcome(case, Attempt(outcome, ran=True))

    pipeline = CasePipeline(task, folder, cache or EngineCache(), on_done)
    left = sorted(cases, key=lambda case: folder.deaths(case.id))
    while left:
        busy: list[Case] = []
        pipeline.run(openable())
        if len(busy) == len(left):
            time.sleep(_POLL_SECONDS)
        left = busy
