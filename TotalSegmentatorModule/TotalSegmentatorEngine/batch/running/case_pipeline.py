"""Reads the next CT and finishes the last one while the networks run on the present one.

The networks run in the main thread, one CT at a time; two more threads do what comes before and after, in the time that
the networks leave: these compute with a thread a core, all of which wait for one that was held up. There is never
more than one CT ahead and one behind, and none where the memory would not be enough: then the steps follow each other.
What a CT becomes does not depend on it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import Plan

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_steps import MEMORY_CODES, CaseSteps, make_room
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.overlap_memory import OverlapMemory
from TotalSegmentatorEngine.batch.running.run_case import done_alone
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.batch.store.claims import Claim
from TotalSegmentatorEngine.batch.store.outcome import Outcome
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.machine.allocator import trim_memory
from TotalSegmentatorEngine.machine.thread_priority import step_back
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.pipeline.cache import EngineCache

_POLL_SECONDS = 0.2
"""Between two looks, while another thread works, whether the run is to end."""


@dataclass(frozen=True)
class OpenCase:
    """A case that this process has claimed."""

    case: Case
    held: Claim
    reporter: Reporter


class CasePipeline:
    """``run`` does cases that come one by one; ``on_done`` is called in the same thread, in their order. It gets None
    for a case that another process has taken over meanwhile.

    The first case runs alone, as do those over which a process has ended: the first measures this computer for the
    plans of the others, and of the latter another might end this process, with all that is in work.
    """

    def __init__(
        self, task: CaseTask, folder: BatchFolder, cache: EngineCache, on_done: Callable[[Case, Outcome | None], None]
    ) -> None:
        self._task = task
        self._folder = folder
        self._cache = cache
        self._on_done = on_done
        self._is_first = True
        self._stop = threading.Event()
        self._ahead: _InWork | None = None
        self._behind: _InWork | None = None

    def run(self, open_cases: Iterator[OpenCase]) -> None:
        """Releases all claims. Raises SegmentationError with one of case_steps.STOPS_THE_RUN, KeyboardInterrupt."""
        with (
            ThreadPoolExecutor(1, "reading", step_back) as reading,
            ThreadPoolExecutor(1, "finishing", step_back) as finishing,
        ):
            self._reading, self._finishing, self._stop = reading, finishing, threading.Event()
            try:
                while (present := self._take_ahead() or self._opened(open_cases)) is not None:
                    with ExitStack() as cleaning:
                        cleaning.callback(present.drop)
                        if self._run_one(present, open_cases):
                            cleaning.pop_all()  # it is behind now
                self._settle_behind()
            finally:
                self._give_up()

    # -- one case after the other --------------------------------------------------------------------------------------

    def _run_one(self, present: _InWork, open_cases: Iterator[OpenCase]) -> bool:
        """Whether the case is left to the thread that finishes; else it is done."""
        if self._is_alone(present):
            self._settle_behind()
            self._do_alone(present)
            return False
        if present.future is None:  # there was not the memory to read it earlier
            self._settle_behind()
        self._wait_for(present)
        if present.failed_beside_others:
            self._settle_behind()
            self._do_alone(present)
            return False
        if present.steps.problem is None:
            self._begin_beside(present, open_cases)
            present.steps.predict(self._cache)
        self._settle_behind()
        if present.failed_beside_others:
            self._put_ahead_back()
            self._do_alone(present)
            return False
        present.start(self._finishing, present.finish_beside_others)
        self._behind = present
        return True

    def _begin_beside(self, present: _InWork, open_cases: Iterator[OpenCase]) -> None:
        """Lets the case behind go on, and begins the one ahead, where the memory is enough for it."""
        if self._behind is not None and self._behind.future.done():
            self._settle_behind()
        memory = OverlapMemory(present.steps, self._cache)
        if self._behind is not None and not memory.has_room_to_finish(self._behind.steps):
            self._settle_behind()
            memory = OverlapMemory(present.steps, self._cache)
        self._ahead = self._opened(open_cases)
        if self._ahead is not None and not self._is_alone(self._ahead) and memory.has_room_to_read(self._ahead.case):
            self._ahead.start(self._reading, self._ahead.steps.read_ahead)

    def _is_alone(self, work: _InWork) -> bool:
        return self._is_first or work.claim.deaths > 0

    def _do_alone(self, present: _InWork) -> None:
        """From the beginning, with nothing beside it."""
        if present.lacked_memory:
            make_room(self._cache)
        steps = present.anew(self._task, self._folder)
        steps.read(lambda prepared: run_job.prefetch_weights(prepared, self._cache))
        outcome = done_alone(steps, self._cache)
        if outcome is not None and outcome.device:  # the networks ran
            self._is_first = False
        self._done(present, outcome)

    def _settle_behind(self) -> None:
        """Waits until no case is behind."""
        if self._behind is None:
            return
        behind = self._behind
        outcome = self._wait_for(behind)
        self._behind = None
        try:
            if behind.failed_beside_others:
                self._put_ahead_back()
                self._do_alone(behind)
            else:
                self._done(behind, outcome)
        finally:
            behind.drop()
            trim_memory()

    def _done(self, work: _InWork, outcome: Outcome | None) -> None:
        if outcome is not None:
            work.reporter.relay()
        work.drop()
        self._on_done(work.case, outcome)

    # -- the case ahead ------------------------------------------------------------------------------------------------

    def _opened(self, open_cases: Iterator[OpenCase]) -> _InWork | None:
        opened = next(open_cases, None)
        return None if opened is None else _InWork(opened, self._task, self._folder, self._stop)

    def _take_ahead(self) -> _InWork | None:
        ahead, self._ahead = self._ahead, None
        return ahead

    def _put_ahead_back(self) -> None:
        """Its CT leaves the memory; it is read again when its turn comes."""
        if self._ahead is not None:
            self._ahead.end()
            self._ahead.anew(self._task, self._folder)

    def _wait_for(self, work: _InWork) -> Outcome | None:
        """Of a case whose step was not begun, reads the CT here."""
        if work.future is None:
            work.steps.read()
            return None
        while wait([work.future], _POLL_SECONDS).not_done:
            work.reporter.check_cancelled()
        return work.future.result()

    def _give_up(self) -> None:
        """What is left of a run that was stopped goes; after a run that was not, there is nothing."""
        self._stop.set()
        for work in (self._ahead, self._behind):
            if work is not None:
                work.end()
                work.drop()
        self._ahead = self._behind = None


class _InWork:
    """A case with its steps, and the step that another thread is at."""

    def __init__(self, opened: OpenCase, task: CaseTask, folder: BatchFolder, stop: threading.Event) -> None:
        self.case = opened.case
        self.claim = opened.held
        self.reporter = _ReporterForThreads(opened.reporter, stop)
        self.steps = CaseSteps(opened.case, task, folder, self.reporter, opened.held)
        self.future: Future | None = None
        self._is_released = False

    def start(self, pool: ThreadPoolExecutor, step: Callable[[], Outcome | None]) -> None:
        self.future = pool.submit(step)

    @property
    def failed_beside_others(self) -> bool:
        """Whether it might go well alone: what a decoder seems to print may be another thread's."""
        problem = self.steps.problem
        return self.lacked_memory or (problem is not None and problem.code == "INPUT_UNREADABLE")

    @property
    def lacked_memory(self) -> bool:
        problem = self.steps.problem
        return problem is not None and (self.steps.is_unforeseen or problem.code in MEMORY_CODES)

    def finish_beside_others(self) -> Outcome | None:
        """What may go well alone gets no record: a kill before that would leave it."""
        self.steps.write()
        return None if self.failed_beside_others else self.steps.record()

    def anew(self, task: CaseTask, folder: BatchFolder) -> CaseSteps:
        """The steps begin again."""
        self.steps.close()
        self.future = None
        self.reporter.forget()
        self.steps = CaseSteps(self.case, task, folder, self.reporter, self.claim)
        return self.steps

    def end(self) -> None:
        """Waits for the step, whatever comes of it."""
        if self.future is not None:
            with suppress(SegmentationError):  # that the run is to end, mostly
                self.future.result()

    def drop(self) -> None:
        self.steps.close()
        if not self._is_released:
            self._is_released = True
            self.claim.release()


class _ReporterForThreads:
    """Lets one thread alone report: the progress of the others is not shown, and their warnings wait for ``relay``."""

    def __init__(self, whole: Reporter, stop: threading.Event) -> None:
        self._whole = whole
        self._stop = stop
        self._thread = threading.get_ident()
        self._waiting: list[Problem] = []

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        if threading.get_ident() == self._thread:
            self._whole.progress(stage, fraction_of_stage, tile, tiles)

    def plan(self, plan: Plan) -> None:
        self._whole.plan(plan)

    def warning(self, problem: Problem) -> None:
        self._waiting.append(problem)

    def asked_first(self) -> Sequence[str]:
        return ()

    def check_cancelled(self) -> None:
        """Also where the run ends for another reason."""
        if self._stop.is_set():
            raise SegmentationError("CANCELLED")
        self._whole.check_cancelled()

    def relay(self) -> None:
        for problem in self._waiting:
            self._whole.warning(problem)
        self._waiting.clear()

    def forget(self) -> None:
        self._waiting.clear()
