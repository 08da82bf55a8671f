"""Segments the CTs of one complete series, by the code of the batch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.inputs.find_cases import find_cases
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import Redo, attempt
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.dicom_node.incoming.series_state import DONE, FAILED, PASSED_OVER
from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache

_FAILED_AGAIN = Redo(failed=True, since=math.inf)
"""A series that is here again was sent again on purpose, if it failed."""
_AGAIN = Redo(all=True, since=math.inf)


@dataclass(frozen=True)
class SeriesResult:
    work: str
    """DONE, FAILED or PASSED_OVER."""
    code: str
    """Of the first error."""
    outcomes: tuple[Outcome, ...]


class SeriesWork:
    """One after the other, with one cache, so that the networks stay loaded."""

    def __init__(self, task: CaseTask, results: BatchFolder, is_cancelled: Callable[[], bool]) -> None:
        self._task = task
        self._results = results
        self._is_cancelled = is_cancelled
        self._cache = EngineCache()

    def segment(self, objects: Path, begins: Callable[[str], None]) -> SeriesResult:
        """``objects``: the folder of a series. A CT that was segmented with these options before is not done again,
        unless a file of its result was moved. ``begins`` gets the id of each CT before anything is written of it.

        Raises SegmentationError: what ``attempt`` raises; the series then stays in the queue.
        """
        found = find_cases([str(objects)], listen=self._listen)
        problems = [problem for _, problem in found.problems]
        outcomes = []
        for case in found.cases:
            self._listen()
            begins(case.id)
            outcomes.append(self._outcome(case))
        codes = [problem.code for problem in problems] + [one.error.code for one in outcomes if one.error is not None]
        if not outcomes and not codes:
            return SeriesResult(PASSED_OVER, "", ())
        return SeriesResult(FAILED if codes else DONE, codes[0] if codes else "", tuple(outcomes))

    def _outcome(self, case: Case) -> Outcome:
        reporter = JobReporter("receive", _ignore, self._is_cancelled)
        try:
            tried = attempt(case, self._task, self._results, self._cache, reporter, _FAILED_AGAIN)
            if tried.outcome is not None and not all(
                path.exists() for path in exports_of(tried.outcome, self._results).values()
            ):
                tried = attempt(case, self._task, self._results, self._cache, reporter, _AGAIN)
        finally:
            self._cache.forget_ct()
        if tried.outcome is None:  # nobody else works here: the claim of a process whose death cannot be seen
            raise SegmentationError("RECEIVE_FOLDER_IN_USE")
        return tried.outcome

    def _listen(self) -> None:
        if self._is_cancelled():
            raise SegmentationError("CANCELLED")


def _ignore(event: object) -> None:
    """The log of each CT has its warnings and stages; the node says what came of it."""


def exports_of(outcome: Outcome, results: BatchFolder) -> dict[str, Path]:
    """Files of the exports, by format."""
    folder = results.case_folder(outcome.id)
    return {name: folder / file for name, file in outcome.exports.items()}
