"""One CT from its files to its record, with nothing beside it."""

from __future__ import annotations

from TotalSegmentatorWire.command.log_text import warnings_to_log

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_steps import CaseSteps, make_room
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.claims import Claim
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.pipeline.cache import EngineCache


def run_case(
    case: Case, task: CaseTask, folder: BatchFolder, cache: EngineCache, reporter: Reporter, held: Claim
) -> Outcome | None:
    """Segments the CT and writes its files and its record. ``held``: the claim of the case, which stays held. None
    where another process has taken it over meanwhile.

    Raises SegmentationError with one of STOPS_THE_RUN, and nothing else: a CT that cannot be segmented has a record
    with its code.
    """
    steps = CaseSteps(case, task, folder, reporter, held)
    try:
        with warnings_to_log():
            steps.read(lambda prepared: run_job.prefetch_weights(prepared, cache))
            return done_alone(steps, cache)
    finally:
        steps.close()


def done_alone(steps: CaseSteps, cache: EngineCache) -> Outcome | None:
    """Segments and writes the CT, which has been read. None and raises as ``run_case`` does."""
    steps.segment(cache)
    outcome = steps.finish()
    if steps.is_unforeseen:
        make_room(cache)
    return outcome
