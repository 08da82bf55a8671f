"""Checks a segmentation again in the background after some structures have changed. What is said about one can depend
on others, so that all remarks are replaced; volume and mean HU are replaced of those that have changed."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Collection, Generator, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent
from TotalSegmentatorWire.messages.measures import StructureMeasures, measures_from_json
from TotalSegmentatorWire.messages.review import Flag, flags_from_json
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import process_result
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner, ignore
from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.segment_voxels import voxel_stamp
from TotalSegmentatorModuleLib.scene.segments import all_segments, reference_volume
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.tags.review_flags import checked_segments, replace_absent_flags, replace_flags
from TotalSegmentatorModuleLib.tags.structure_measures import replace_measures
from TotalSegmentatorModuleLib.tasks.program_run import ProgramRun
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

_NOT_CHECKED = "Changed structures were not checked again: %s"


@dataclass(frozen=True)
class Checked:
    """What the check says of a segmentation."""

    flags: list[Flag]
    """In the segmentation's own space."""
    measures: dict[str, StructureMeasures]
    """By the names of the structures that have voxels; in the space of the CT's own matrix."""
    to_own: np.ndarray
    """4 x 4: from there to the segmentation's own space."""


class CheckTask:
    """Fulfils program_run.ProgramTask; its result is a Checked."""

    needs_dicom = False
    outlives_scene = False
    log_file = "repair.log"
    other = None

    def __init__(self, node, ct) -> None:
        """``node``: vtkMRMLSegmentationNode; ``ct``: vtkMRMLScalarVolumeNode on which it was made. Raises
        SegmentationError("EXPORT_NONLINEAR_TRANSFORM")."""
        self.segmentation, self.ct, self.segment_ids = node, ct, all_segments(node)
        self._to_own = np.linalg.inv(segmentation_to_ct(node, ct))
        self._flags, self._measures = Path(), Path()

    def identity(self, _search: InstanceSearch | None) -> CtIdentity:
        return CtIdentity(sends_voxels=True)

    def arguments(self, folder: Path, _segment_ids: list[str]) -> list[str]:
        self._flags, self._measures = folder / "flags.json", folder / "measures.json"
        outputs = ["--output", str(self._flags), "--measures", str(self._measures)]
        return ["review", "--transferred", str(folder), "--json", *outputs]

    def finish(self, _finished: ExportFinishedEvent) -> Generator[int, None, Checked]:
        """Raises OSError, SegmentationError("BAD_REQUEST")."""
        yield from ()  # the files are small
        flags = flags_from_json(self._flags.read_text(encoding="utf-8"))
        measures = measures_from_json(self._measures.read_text(encoding="utf-8"))
        return Checked([self._own(flag) for flag in flags], {each.structure: each for each in measures}, self._to_own)

    def discard(self) -> None:
        """The files are in the folder of the transferred segmentation and are removed with it."""

    def _own(self, flag: Flag) -> Flag:
        if flag.place_ras_mm is None:
            return flag
        place = (self._to_own @ [*flag.place_ras_mm, 1.0])[:3]
        return dataclasses.replace(flag, place_ras_mm=tuple(float(x) for x in place))


class SecondCheck:
    """Runs one check at a time; another segmentation waits for its turn. One that fails, or comes too late because
    somebody has drawn meanwhile, leaves the remarks as they are: they say that nothing was checked since the change."""

    def __init__(self, on_changed: Callable[[], None], lease_for: Callable[[Any], WorkerLease | None]) -> None:
        """``lease_for`` a vtkMRMLScalarVolumeNode gives the worker that holds it, which checks in an instant; where
        there is none, or it fails, the program is started."""
        self._lease_for = lease_for
        self._removal = FolderRemoval()
        self._runner = TaskRunner(
            Ticker, settings.work_folder(), lambda _busy, _cancelling: on_changed(), self._removal.step
        )
        self._node = None
        self._ids: dict[Any, set[str]] = {}
        """Of what has changed, by the vtkMRMLSegmentationNodes that are checked or wait."""
        self._shapes: Hashable = None
        self._lease: WorkerLease | None = None
        self._begins_again = False

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def start(self, node, segment_ids: Collection[str]) -> None:
        """Check ``node`` (vtkMRMLSegmentationNode) as it is now; ``segment_ids``: of what has changed in it."""
        self._ids.setdefault(node, set()).update(segment_ids)
        if not self._runner.is_busy:
            self._begin_next()
        elif node is self._node:
            self._begins_again = True
            self._runner.cancel()

    def close(self) -> None:
        self._ids.clear()
        self._runner.dispose()
        self._removal.finish()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _begin_next(self) -> None:
        """With the first that can be checked of those that wait."""
        while self._ids:
            node = next(iter(self._ids))
            if self._begin(node):
                return
            del self._ids[node]

    def _begin(self, node, uses_worker: bool = True) -> bool:
        self._node, self._begins_again = node, False
        if not slicer.mrmlScene.IsNodePresent(node):
            return False
        ct = reference_volume(node)
        if ct is None or ct.GetImageData() is None or not self._ids[node] & known_structures().keys():
            return False
        try:
            task = CheckTask(node, ct)
        except SegmentationError as error:
            logging.warning(_NOT_CHECKED, error.problem.code)
            return False
        self._lease = self._lease_for(ct) if uses_worker else None
        self._shapes = _shapes(node)
        run = ProgramRun(task, self._removal, ignore, ignore, self._lease)
        self._runner.start(run.task(), self._on_end)
        return True

    def _on_end(self, task_end: TaskEnd) -> None:
        if self._begins_again:
            self._begin_next()
            return
        end = process_result(task_end)
        if end.failure is not None and self._lease is not None:
            logging.info("The worker did not check changed structures: %s", end.failure.code)
            if self._begin(self._node, uses_worker=False):
                return
        node, self._node = self._node, None
        ids = self._ids.pop(node, set())
        if end.failure is not None:
            logging.warning(_NOT_CHECKED, end.failure.code)
        elif not end.is_cancelled and slicer.mrmlScene.IsNodePresent(node) and _shapes(node) == self._shapes:
            _replace(node, ids, end.finished)
        self._begin_next()


def _replace(node, changed: Collection[str], checked: Checked) -> None:
    segmentation = node.GetSegmentation()
    with told_once(node):
        for segment_id in known_structures().keys() & {*changed, *checked_segments(node)}:  # others are not checked
            segment = segmentation.GetSegment(segment_id)
            if segment is None:
                continue
            replace_flags(segment, [flag for flag in checked.flags if flag.structure == segment_id])
            if segment_id in changed:
                replace_measures(segment, checked.measures.get(segment_id), checked.to_own)
        replace_absent_flags(node, [flag for flag in checked.flags if segmentation.GetSegment(flag.structure) is None])


def _shapes(node) -> Hashable:
    """Differs after every change of voxels, and of whose they are; not after one of tags, which the user may judge."""
    segmentation = node.GetSegmentation()
    return tuple((each, voxel_stamp(segmentation.GetSegment(each))) for each in all_segments(node))
