"""Checks repaired structures again in the background, and replaces the remarks on them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Hashable
from pathlib import Path

import slicer
from TotalSegmentatorWire.messages.export import ExportFinishedEvent
from TotalSegmentatorWire.messages.review import Flag, flags_from_json
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import process_result
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner, ignore
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.scene.segments import all_segments, reference_volume
from TotalSegmentatorModuleLib.tags.review_flags import replace_flags
from TotalSegmentatorModuleLib.tasks.program_run import ProgramRun
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity


class CheckTask:
    """Fulfils program_run.ProgramTask; its result is the list of the flags of the checked segments."""

    needs_dicom = False
    outlives_scene = False
    log_file = "repair.log"
    other = None

    def __init__(self, node, ct, judged: Collection[str]) -> None:
        """``node``: vtkMRMLSegmentationNode; ``ct``: vtkMRMLScalarVolumeNode on which it was made; ``judged``: the
        segments to check, whose ids are names of the label tables."""
        self.segmentation, self.ct, self.segment_ids = node, ct, all_segments(node)
        self._judged = judged
        self._file = Path()

    def identity(self, _search: InstanceSearch | None) -> CtIdentity:
        return CtIdentity(sends_voxels=True)

    def arguments(self, folder: Path, _segment_ids: list[str]) -> list[str]:
        self._file = folder / "flags.json"
        judged = ",".join(sorted(self._judged))
        return ["review", "--transferred", str(folder), "--structures", judged, "--json", "--output", str(self._file)]

    def finish(self, _finished: ExportFinishedEvent) -> Generator[int, None, list[Flag]]:
        """Raises OSError, SegmentationError("BAD_REQUEST")."""
        yield from ()  # the file is small
        return flags_from_json(self._file.read_text(encoding="utf-8"))

    def discard(self) -> None:
        """The file is in the folder of the transferred segmentation and is removed with it."""


class SecondCheck:
    """Runs one check at a time. One that fails, or comes too late because somebody has drawn meanwhile, leaves the
    remarks as they are: they say that nothing was checked since the repair."""

    def __init__(self, on_changed: Callable[[], None]) -> None:
        self._removal = FolderRemoval()
        self._runner = TaskRunner(
            Ticker, settings.work_folder(), lambda _busy, _cancelling: on_changed(), self._removal.step
        )
        self._node = None
        self._ids: set[str] = set()
        self._shapes: Hashable = None
        self._begins_again = False

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def start(self, node, segment_ids: Collection[str]) -> None:
        """Check ``segment_ids`` of ``node`` (vtkMRMLSegmentationNode) as they are now."""
        is_more = self._runner.is_busy and node is self._node
        self._ids = {*(self._ids if is_more else ()), *segment_ids}
        self._node = node
        if self._runner.is_busy:
            self._begins_again = True
            self._runner.cancel()
        else:
            self._begin()

    def close(self) -> None:
        self._runner.dispose()
        self._removal.finish()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        self._begins_again = False
        if not slicer.mrmlScene.IsNodePresent(self._node):
            return
        ct = reference_volume(self._node)
        judged = self._ids & known_structures().keys()
        if ct is None or ct.GetImageData() is None or not judged:
            return
        self._shapes = _shapes(self._node)
        run = ProgramRun(CheckTask(self._node, ct, judged), self._removal, ignore, ignore)
        self._runner.start(run.task(), self._on_end)

    def _on_end(self, task_end: TaskEnd) -> None:
        if self._begins_again:
            self._begin()
            return
        node, ids = self._node, self._ids
        self._node, self._ids = None, set()
        end = process_result(task_end)
        if end.failure is not None:
            logging.warning("Repaired structures were not checked again: %s", end.failure.code)
        elif not end.is_cancelled and slicer.mrmlScene.IsNodePresent(node) and _shapes(node) == self._shapes:
            _replace(node, ids, end.finished)


def _replace(node, segment_ids: Collection[str], flags: Collection[Flag]) -> None:
    segmentation = node.GetSegmentation()
    was_modifying = node.StartModify()
    try:
        for segment_id in segment_ids:
            segment = segmentation.GetSegment(segment_id)
            if segment is not None:
                replace_flags(segment, [flag for flag in flags if flag.structure == segment_id])
    finally:
        node.EndModify(was_modifying)


def _shapes(node) -> Hashable:
    """Differs after every change of voxels, and of whose they are; not after one of tags, which the user may judge."""
    segmentation = node.GetSegmentation()
    return tuple(_shape(each, segmentation.GetSegment(each)) for each in all_segments(node))


def _shape(segment_id: str, segment) -> Hashable:
    image = segment.GetRepresentation(BINARY_LABELMAP)
    scalars = image.GetPointData().GetScalars() if image is not None else None
    times = [each.GetMTime() if each is not None else 0 for each in (image, scalars)]
    return (segment_id, segment.GetLabelValue(), *times)
