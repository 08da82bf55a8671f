"""Runs the program for one repair at a time; a new one waits until the former, cancelled, has ended."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import Failure, failure_of, process_result
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner, ignore
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.repair.program_order import ProgramOrder
from TotalSegmentatorModuleLib.repair.task import RepairTask
from TotalSegmentatorModuleLib.repair.voxel_repair import VoxelRepair
from TotalSegmentatorModuleLib.scene.output_segmentation import content_stamp
from TotalSegmentatorModuleLib.tasks.program_run import ProgramRun


class ProgramRunner:
    """``on_progress`` gets 0..1, ``on_outcome`` what the program has worked out, ``on_failed`` why it has not (words);
    a cancelled run is not reported. ``on_changed`` is called when a run starts or ends."""

    def __init__(
        self,
        on_progress: Callable[[float], None],
        on_outcome: Callable[[VoxelRepair], None],
        on_failed: Callable[[str], None],
        on_changed: Callable[[], None],
    ) -> None:
        self._on_progress, self._on_outcome, self._on_failed = on_progress, on_outcome, on_failed
        self._removal = FolderRemoval()
        self._runner = TaskRunner(
            Ticker, settings.work_folder(), lambda _busy, _cancelling: on_changed(), self._removal.step
        )
        self._next: ProgramOrder | None = None
        self._order: ProgramOrder | None = None
        self._stamp: Hashable = None

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def start(self, order: ProgramOrder) -> None:
        if self._runner.is_busy:  # the former one is still being cancelled
            self._next = order
            return
        try:
            task = RepairTask(order)
        except SegmentationError as error:
            self._on_failed(_text(failure_of(error.problem)))
            return
        self._order, self._stamp = order, content_stamp(order.node)
        run = ProgramRun(task, self._removal, self._report, ignore)
        self._runner.start(run.task(), self._on_end)

    def cancel(self) -> None:
        self._next = None
        self._runner.cancel()

    def close(self) -> None:
        self._runner.dispose()
        self._removal.finish()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _report(self, fraction: float, _step: str, _item: str) -> None:
        if not self._runner.is_cancelling:
            self._on_progress(fraction)

    def _on_end(self, task_end: TaskEnd) -> None:
        order, self._order = self._order, None
        following, self._next = self._next, None
        if following is not None:
            self.start(following)
            return
        end = process_result(task_end)
        if end.failure is not None:
            self._on_failed(_text(end.failure))
        elif not end.is_cancelled:
            try:
                repair = VoxelRepair(order, end.finished, self._stamp)
            except SegmentationError as error:
                self._on_failed(_text(failure_of(error.problem)))
                return
            self._on_outcome(repair)


def _text(failure: Failure) -> str:
    return "{} {} ({})".format(failure.what, failure.todo, failure.code)
