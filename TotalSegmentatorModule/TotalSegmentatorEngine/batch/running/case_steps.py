"""The steps of one CT from its files to its record: reading, the networks, and all that comes after them.

Each may run in a thread of its own, while the others are at other CTs. Whatever is wrong with a CT ends in its record.
"""

from __future__ import annotations

import gc
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from TotalSegmentatorWire.command.command_run import sentence_without_text
from TotalSegmentatorWire.errors.problem import ERRORS, Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.review_rules import sentence_of

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_files import CaseFiles
from TotalSegmentatorEngine.batch.running.case_log import case_log
from TotalSegmentatorEngine.batch.running.case_reporter import CaseReporter
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.store.batch_folder import LOG, SEGMENTATION, BatchFolder
from TotalSegmentatorEngine.batch.store.claims import Claim
from TotalSegmentatorEngine.batch.store.edited_segmentation import file_digest
from TotalSegmentatorEngine.batch.store.outcome import DONE, FAILED, Outcome, OutcomeError, StructureOutcome
from TotalSegmentatorEngine.batch.table.measured_structures import measured_structures
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.atomic_file import disk_errors
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare

STOPS_THE_RUN = frozenset(
    [
        *("CANCELLED", "DISK_FULL", "OUTPUT_NOT_WRITABLE"),
        *("DEVICE_UNAVAILABLE", "PROFILE_UNKNOWN", "STRUCTURE_UNKNOWN"),
        *(code for code in ERRORS if code.startswith(("ENGINE_", "MODEL_"))),
    ]
)
"""Not the CT's fault: every other CT would fail alike, and none gets a record."""
LARGEST_DEATHS = 3
"""So many processes may end over a CT before it counts as failed."""

CLAIM_LOST = "BATCH_CLAIM_LOST"
MEMORY_CODES = frozenset(["DEVICE_MEMORY_SHORT", "MEMORY_SHORT"])

_log = logging.getLogger(__name__)


class CaseSteps:
    """``read``, then ``segment`` or ``predict``, then ``finish``; ``close`` in any case.

    ``held``: the claim of the case, which stays held. Each step raises SegmentationError with one of STOPS_THE_RUN, and
    nothing else: a CT that cannot be segmented gets a record with its code, and one that another process has taken
    over, because this one was stopped for minutes, is left to that one.
    """

    def __init__(self, case: Case, task: CaseTask, folder: BatchFolder, reporter: Reporter, held: Claim) -> None:
        self.case = case
        self.held = held
        self._task = task
        self._folder = folder
        self._reporter = CaseReporter(reporter)
        self._draft = folder.draft(case.id)
        self._files = CaseFiles(case, task, self._draft)
        self._prepared: PreparedTask | None = None
        self._ct: ReadInput | None = None
        self._resampled: Callable[[EngineCache], None] | None = None
        self._rest: Callable[[], SegmentationResult] | None = None
        self._result: SegmentationResult | None = None
        self._structures: tuple[StructureOutcome, ...] = ()
        self._digest = ""
        self.problem: Problem | None = None
        """Why the CT has no result; the steps that follow do nothing."""
        self.is_unforeseen = False
        """Whether the problem is of an error that nobody has foreseen."""

    def read(self, before: Callable[[PreparedTask], None] = lambda prepared: None) -> None:
        """``before`` is called when the task has been checked."""

        def read() -> None:
            if self.held.deaths >= LARGEST_DEATHS:
                raise SegmentationError("BATCH_PROCESS_DIED", deaths=self.held.deaths)
            self._reporter.check_cancelled()
            self._prepared = prepare(self._task.task)
            before(self._prepared)
            self._ct = run_job.read_ct(self._prepared.task, self._files, self._reporter)

        self._step(read)

    def read_ahead(self) -> None:
        """``read``, and what else can be done while the networks run on another CT."""
        self.read()

        def resample() -> None:
            self._resampled = run_job.resample_ahead(self._ct.volume, self._prepared, self._reporter)

        self._step(resample)

    def segment(self, cache: EngineCache) -> None:
        """With nothing beside it: where memory runs out, it is tried with less, and what it takes is remembered."""

        def segment() -> None:
            result = run_job.segment(self._ct.volume, self._prepared, cache, self._reporter)
            self._rest = lambda: result

        self._step(segment)

    def predict(self, cache: EngineCache) -> None:
        """Only what needs the networks; the rest comes with ``finish``, which another thread may do."""

        def predict() -> None:
            if self._resampled is not None:
                cache.remember_ct(self.case.id, self._ct)
                self._resampled(cache)
                self._resampled = None
            try:
                self._rest = run_job.predict(self._ct.volume, self._prepared, cache, self._reporter, learns=False)
            finally:
                cache.forget_ct()

        self._step(predict)

    def finish(self) -> Outcome | None:
        """``write``, then ``record``."""
        self.write()
        return self.record()

    def write(self) -> None:
        """Writes the files of the result; they are not in their place before there is a record."""
        self._step(self._write)

    def record(self) -> Outcome | None:
        """Puts the files in their place and, last, the record; None where another process has taken the CT over."""
        if self._is_lost:
            return None
        with self._losable():
            if self._folder.keep_edited(self.case.id, self._draft, self.held):
                self._reporter.warning(Problem("BATCH_EDIT_KEPT"))
            outcome = self._record()
            self._folder.finish(outcome, self._draft, self.held)
        return None if self._is_lost else outcome

    def close(self) -> None:
        """Removes what was not finished, and the CT from memory. The claim stays."""
        shutil.rmtree(self._draft, ignore_errors=True)
        self._ct = self._resampled = self._rest = self._result = None

    def free_bytes(self, cache: EngineCache) -> int | None:
        """Memory that is left beside the networks' run over this CT, which has been read; None where that is unknown,
        0 where it needs all there is."""
        try:
            plan = run_job.plan(self._ct.volume, self._prepared, cache)
        except SegmentationError:  # the step itself will say it
            return 0
        return None if plan.available_bytes is None else max(plan.available_bytes - plan.peak_bytes, 0)

    @property
    def voxels(self) -> int:
        """Of the CT; 0 where it is not in memory."""
        return 0 if self._ct is None else self._ct.volume.array.size

    def _write(self) -> None:
        result, reporter = self._rest(), self._reporter
        reporter.progress(Stage.WRITING, 0.0)
        structures = measured_structures(
            result.found,
            result.layers,
            self._ct.volume.array,
            result.flags or (),
            result.profiles,
            reporter.check_cancelled,
        )
        run_job.write_result(result, self._ct, self._files, reporter)
        with disk_errors(self._draft):
            self._digest = file_digest(self._draft / SEGMENTATION)
        self._result, self._structures, self.problem = result, structures, self._files.failure

    def _step(self, work: Callable[[], None]) -> None:
        if self.problem is not None:
            return
        with self._losable(), case_log(self._draft / LOG, self.case):
            try:
                work()
            except Exception as error:  # one CT never stops the run: a code for everything
                self._reporter.check_cancelled()  # a library may have turned Ctrl+C into an exception of its own
                self.problem = problem_of(error)
                if self.problem.code in STOPS_THE_RUN:
                    raise
                self.is_unforeseen = not isinstance(error, SegmentationError)
            if self.problem is not None:
                _log.error("%s: %s", self.problem.code, sentence_without_text(self.problem))
        self._reporter.wait()

    @contextmanager
    def _losable(self) -> Iterator[None]:
        """A process that takes the CT over removes the draft: what cannot be written then stops no run."""
        try:
            yield
        except SegmentationError as error:
            if not (error.code == CLAIM_LOST or (error.code == "OUTPUT_NOT_WRITABLE" and self._is_taken_over())):
                raise
            self.problem = Problem(CLAIM_LOST)

    def _is_taken_over(self) -> bool:
        try:
            return not self.held.is_held()
        except OSError:
            return False

    @property
    def _is_lost(self) -> bool:
        return self.problem is not None and self.problem.code == CLAIM_LOST

    def _record(self) -> Outcome:
        result, problem, geometry = self._result, self.problem, self._files.geometry
        return Outcome(
            id=self.case.id,
            input_digest=self.case.digest,
            options_digest=self._task.options_digest,
            state=DONE if problem is None else FAILED,
            error=None if problem is None else OutcomeError(problem.code, _numbers(problem)),
            warnings=tuple(dict.fromkeys(warning.code for warning in self._reporter.warnings)),
            model="" if result is None else ", ".join(result.models),
            profile="" if result is None else ", ".join(dict.fromkeys(result.profiles.values())),
            device="" if result is None else result.device,
            options=(self._task.task.options if result is None else result.options).to_json(),
            exports=dict(self._files.exports),
            versions=dict(self._task.versions),
            model_digest=self._task.model_digest,
            seconds=self._reporter.seconds(),
            shape=None if geometry is None else tuple(int(size) for size in geometry.shape),
            spacing_mm=None if geometry is None else tuple(round(float(mm), 4) for mm in geometry.spacing),
            segmentation_digest=self._digest,
            structures=self._structures,
            flags=() if result is None else tuple(flag.to_json(sentence_of(flag)) for flag in result.flags or ()),
            agreement=None if result is None or result.agreement is None else result.agreement.to_json(),
        )


def make_room(cache: EngineCache) -> None:
    """After an error that was not foreseen, such as too little memory, the next CT begins as in a new process."""
    cache.forget_ct()
    cache.forget_networks()
    gc.collect()


def _numbers(problem: Problem) -> dict[str, float]:
    return {name: value for name, value in problem.values.items() if type(value) in (int, float)}
