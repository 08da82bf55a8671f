"""Does a case if nobody has done it and nobody is at it: what every worker of a run calls, wherever it is."""

from __future__ import annotations

from dataclasses import dataclass

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.run_case import run_case
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.claims import Claim
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache


@dataclass(frozen=True)
class Redo:
    """Which cases that have a record are done again; those whose CT or options have changed always are."""

    all: bool = False
    failed: bool = False
    since: float = 0.0
    """When the run began, by the clock of the output folder: what has a record since then is not done again."""


NOTHING_AGAIN = Redo()


def done_before(case: Case, task: CaseTask, folder: BatchFolder, redo: Redo = NOTHING_AGAIN) -> Outcome | None:
    """The record of a case that need not be done; None for one that is to be."""
    outcome = folder.outcome(case.id)
    if outcome is None or (outcome.input_digest, outcome.options_digest) != (case.digest, task.options_digest):
        return None
    is_asked_for = redo.all or (redo.failed and not outcome.is_done)
    return None if is_asked_for and folder.recorded_at(case.id) < redo.since else outcome


@dataclass(frozen=True)
class Attempt:
    outcome: Outcome | None
    """None where another process is at the case."""
    ran: bool = False
    """Whether this call has done it; else it was done before."""


def attempt(
    case: Case,
    task: CaseTask,
    folder: BatchFolder,
    cache: EngineCache,
    reporter: Reporter,
    redo: Redo = NOTHING_AGAIN,
) -> Attempt:
    """Raises SegmentationError with one of case_steps.STOPS_THE_RUN, KeyboardInterrupt."""
    taken = take(case, task, folder, redo)
    if not isinstance(taken, Claim):
        return taken or Attempt(None)
    try:
        outcome = run_case(case, task, folder, cache, reporter, taken)
        return Attempt(outcome, ran=outcome is not None)
    finally:
        taken.release()


def take(case: Case, task: CaseTask, folder: BatchFolder, redo: Redo = NOTHING_AGAIN) -> Attempt | Claim | None:
    """The right to do the case, what was made of it before, or None where another process is at it. Raises
    SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    outcome = done_before(case, task, folder, redo)
    if outcome is not None:
        return Attempt(outcome)
    held = folder.claim_case(case.id)
    if held is None:
        return None
    outcome = done_before(case, task, folder, redo)  # another process may just have finished it
    if outcome is None:
        return held
    held.release()
    return Attempt(outcome)
