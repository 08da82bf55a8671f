"""The loop over the cases of a run on several devices of this computer: a process a device.

The processes know nothing of each other: each goes through all cases and does those that nobody has claimed. What one
leaves that ends unexpectedly, another takes over. Not run on GPUs by the authors; tested with processes on the CPU.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.batch.device_processes.child_process import Order, Stop, run_child
from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import NOTHING_AGAIN, Attempt, Redo, done_before
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.machine.devices import cuda_count

MOST_DEATHS = 4
"""So many processes of a device may end unexpectedly, one after the other, without having done a case. A case over
which three have ended counts as failed."""
_POLL_SECONDS = 0.2
_PATIENCE_SECONDS = 30.0
"""For processes that were told to end: they look between two tiles."""


def devices_for(device: str) -> list[str]:
    """The devices that a run on ``device`` uses, one process each; a single one needs no process of its own."""
    count = cuda_count() if device in ("auto", "cuda") else 0
    return [f"cuda:{number}" for number in range(count)] if count > 1 else [device]


def run_on_devices(
    cases: Sequence[Case],
    task: CaseTask,
    folder: BatchFolder,
    devices: Sequence[str],
    on_outcome: Callable[[Case, Attempt], None],
    is_cancelled: Callable[[], bool],
    redo: Redo = NOTHING_AGAIN,
) -> None:
    """As ``run_cases``: every case is done once, and ``on_outcome`` called for each as it comes.

    Raises SegmentationError: with one of case_steps.STOPS_THE_RUN, BATCH_PROCESSES_ENDED. KeyboardInterrupt.
    """
    left: dict[str, Case] = {}
    for case in cases:
        outcome = done_before(case, task, folder, redo)
        if outcome is None:
            left[case.id] = case
        else:
            on_outcome(case, Attempt(outcome))
    if not left:
        return

    def answered(case_id: str, attempt: Attempt) -> None:
        case = left.pop(case_id, None)
        if case is not None:
            on_outcome(case, attempt)

    orders = [Order(list(left.values()), task, folder.path.absolute(), redo, device) for device in devices]
    with _Children(orders) as children:
        children.follow(answered, is_cancelled)
    for case in list(left.values()):  # done by another computer, or by a process that ended before it could say so
        outcome = done_before(case, task, folder, redo)
        if outcome is not None:
            answered(case.id, Attempt(outcome))


@dataclass
class _Child:
    process: BaseProcess
    order: Order
    deaths: int
    """Of those before it on the same device, since one of them has done a case."""


class _Children:
    """The processes, one for each order; leaving the block ends them."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[Connection, _Child] = {}

    def __enter__(self) -> _Children:
        for order in self._orders:
            self._start(order)
        return self

    def __exit__(self, *_exception: object) -> None:
        for answers in self._running:
            with suppress(OSError):  # it has ended
                answers.send(None)
        for answers, child in self._running.items():
            process = child.process
            process.join(_PATIENCE_SECONDS)
            if process.is_alive():
                process.kill()  # what it was at is swept by whoever comes to it next
                process.join()
            answers.close()

    def follow(self, answered: Callable[[str, Attempt], None], is_cancelled: Callable[[], bool]) -> None:
        """Until all have ended."""
        while self._running:
            if is_cancelled():
                raise SegmentationError("CANCELLED")
            for answers in wait(list(self._running), _POLL_SECONDS):
                try:
                    answer = answers.recv()
                except (EOFError, OSError):
                    self._ended(answers)
                    continue
                if isinstance(answer, Stop):
                    raise SegmentationError(answer.problem.code, **answer.problem.values)
                self._running[answers].deaths = 0
                answered(*answer)

    def _start(self, order: Order, deaths: int = 0) -> None:
        answers, theirs = self._context.Pipe()
        process = self._context.Process(target=run_child, args=(order, theirs), daemon=False)
        process.start()
        theirs.close()  # so that the pipe ends with the process
        self._running[answers] = _Child(process, order, deaths)

    def _ended(self, answers: Connection) -> None:
        """One that has ended unexpectedly is replaced; the claims of its cases died with it."""
        child = self._running.pop(answers)
        child.process.join()
        with suppress(OSError):
            answers.close()
        if child.process.exitcode == 0:
            return
        deaths = child.deaths + 1
        if deaths > MOST_DEATHS:
            raise SegmentationError("BATCH_PROCESSES_ENDED", count=deaths)
        self._start(child.order, deaths)
