"""One CT from its files to its record. Whatever is wrong with the CT ends in the record, and the next one can come."""

from __future__ import annotations

import gc
import logging
import shutil

from TotalSegmentatorWire.command.command_run import sentence_without_text
from TotalSegmentatorWire.command.log_text import warnings_to_log
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.review_rules import sentence_of

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_files import CaseFiles
from TotalSegmentatorEngine.batch.running.case_log import case_log
from TotalSegmentatorEngine.batch.running.case_reporter import CaseReporter
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.store.batch_folder import LOG, BatchFolder
from TotalSegmentatorEngine.batch.store.claims import Claim
from TotalSegmentatorEngine.batch.store.outcome import DONE, FAILED, Outcome, OutcomeError, StructureOutcome
from TotalSegmentatorEngine.batch.table.measured_structures import measured_structures
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.run_job import run_job

STOPS_THE_RUN = frozenset(
    [
        *("CANCELLED", "DISK_FULL", "OUTPUT_NOT_WRITABLE", "BATCH_CLAIM_LOST"),
        *(
            "ENGINE_MISSING",
            "DEVICE_UNAVAILABLE",
            "MODEL_DAMAGED",
            "MODEL_MISSING",
            "MODEL_UNSAFE",
            "MODEL_UNSUPPORTED",
        ),
    ]
)
"""Not the CT's fault: every other CT would fail alike, and none gets a record."""
LARGEST_DEATHS = 3
"""So many processes may end over a CT before it counts as failed."""

_log = logging.getLogger(__name__)


def run_case(
    case: Case, task: CaseTask, folder: BatchFolder, cache: EngineCache, reporter: Reporter, held: Claim
) -> Outcome:
    """Segments the CT and writes its files and its record. ``held``: the claim of the case, which stays held.

    Raises SegmentationError with one of STOPS_THE_RUN, and nothing else: a CT that cannot be segmented has a record
    with its code.
    """
    own = CaseReporter(reporter)
    draft = folder.draft(case.id)
    try:
        with case_log(draft / LOG, case), warnings_to_log():
            outcome = _outcome(case, task, CaseFiles(case, task, draft), cache, own, held.deaths)
        folder.finish(outcome, draft, held)
        return outcome
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _outcome(
    case: Case, task: CaseTask, files: CaseFiles, cache: EngineCache, reporter: CaseReporter, deaths: int
) -> Outcome:
    structures: tuple[StructureOutcome, ...] = ()
    result, problem = None, None
    try:
        if deaths >= LARGEST_DEATHS:
            raise SegmentationError("BATCH_PROCESS_DIED", deaths=deaths)
        result, structures = _run(task, files, cache, reporter)
        problem = files.failure
    except Exception as error:  # one CT never stops the run: a code for everything
        reporter.check_cancelled()  # a library may have turned Ctrl+C into an exception of its own
        problem = problem_of(error)
        if problem.code in STOPS_THE_RUN:
            raise
        if not isinstance(error, SegmentationError):
            _make_room(cache)
    if problem is not None:
        _log.error("%s: %s", problem.code, sentence_without_text(problem))
    return _record(case, task, files, reporter, result, structures, problem)


def _run(
    task: CaseTask, files: CaseFiles, cache: EngineCache, reporter: CaseReporter
) -> tuple[SegmentationResult, tuple[StructureOutcome, ...]]:
    measured = _Measured(files)
    result = run_job(task.task, measured, cache, reporter)
    return result, measured.structures


class _Measured:
    """Fulfils run_job.JobFiles: measures the structures while the CT is in memory."""

    def __init__(self, files: CaseFiles) -> None:
        self._files = files
        self.read = files.read
        self.structures: tuple[StructureOutcome, ...] = ()

    def write(self, result: SegmentationResult, ct, reporter: Reporter) -> None:
        self.structures = measured_structures(
            result.found, result.labels, ct.volume.array, result.flags or (), reporter.check_cancelled
        )
        self._files.write(result, ct, reporter)


def _record(
    case: Case,
    task: CaseTask,
    files: CaseFiles,
    reporter: CaseReporter,
    result: SegmentationResult | None,
    structures: tuple[StructureOutcome, ...],
    problem: Problem | None,
) -> Outcome:
    geometry = files.geometry
    return Outcome(
        id=case.id,
        input_digest=case.digest,
        options_digest=task.options_digest,
        state=DONE if problem is None else FAILED,
        error=None if problem is None else OutcomeError(problem.code, _numbers(problem)),
        warnings=tuple(dict.fromkeys(warning.code for warning in reporter.warnings)),
        model="" if result is None else result.model,
        profile="" if result is None else result.profile,
        device="" if result is None else result.device,
        options=(task.task.options if result is None else result.options).to_json(),
        exports=dict(files.exports),
        versions=dict(task.versions),
        model_digest=task.model_digest,
        seconds=reporter.seconds(),
        shape=None if geometry is None else tuple(int(size) for size in geometry.shape),
        spacing_mm=None if geometry is None else tuple(round(float(mm), 4) for mm in geometry.spacing),
        structures=structures,
        flags=() if result is None else tuple(flag.to_json(sentence_of(flag)) for flag in result.flags or ()),
    )


def _numbers(problem: Problem) -> dict[str, float]:
    return {name: value for name, value in problem.values.items() if type(value) in (int, float)}


def _make_room(cache: EngineCache) -> None:
    """After an error that was not foreseen, such as too little memory, the next CT begins as in a new process."""
    cache.forget_ct()
    cache.forget_networks()
    gc.collect()
