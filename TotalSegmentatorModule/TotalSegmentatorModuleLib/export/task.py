"""An export: its file or folder is written by the program and put into its place when it is complete."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.messages.export import ExportFinishedEvent

from TotalSegmentatorModuleLib.export.default_names import default_name
from TotalSegmentatorModuleLib.export.destination import ExportDestination, file_name
from TotalSegmentatorModuleLib.export.dicom_database import add_to_database
from TotalSegmentatorModuleLib.export.order import ExportOrder, export_arguments
from TotalSegmentatorModuleLib.scene.cropped_volumes import whole_volume
from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch, require_all_files
from TotalSegmentatorModuleLib.scene.review_tags import digests_of, mark_edited
from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

_SHEET = "review"
"""Ends the name of a review sheet."""


@dataclass(frozen=True)
class ExportResult:
    """What was written: ``paths`` in ``folder``."""

    paths: tuple[Path, ...]
    folder: Path
    structures: int
    seconds: float
    in_database: bool | None
    """Whether it was added to Slicer's DICOM database; None where that was not asked for."""
    modality: str = ""
    """Of a DICOM object."""


class ExportTask:
    """Fulfils program_run.ProgramTask. After the handing over it needs no scene."""

    outlives_scene = True
    other = None
    log_file = "export.log"

    def __init__(self, order: ExportOrder) -> None:
        self._order = order
        self.segmentation, self.segment_ids = order.segmentation, order.segment_ids
        self.needs_dicom = order.needs_dicom
        self.ct = (whole_volume(order.ct) if order.needs_dicom else None) or order.ct
        self._is_folder = False
        self._digests: dict[str, str] = {}
        self._destination: ExportDestination | None = None

    def identity(self, search: InstanceSearch | None) -> CtIdentity:
        """Raises SegmentationError("EXPORT_FILES_MISSING")."""
        made_on = self._made_on_id()
        is_sheet = self._order.options.format.kind.is_sheet
        if search is None:  # what is no DICOM goes out on the grid of the volume
            return CtIdentity(sends_voxels=self._needs_voxels(), made_on_id=made_on, sends_computed=is_sheet)
        require_all_files(search)
        self._is_folder = not search.uids and not is_sheet
        return CtIdentity(
            search.uids, tuple(search.files), sends_voxels=not search.uids, made_on_id=made_on, sends_computed=is_sheet
        )

    def arguments(self, folder: Path, segment_ids: list[str]) -> list[str]:
        """Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
        order = self._order
        self._digests = digests_of(order.segmentation, segment_ids)
        kind = order.options.format.kind
        ending = _SHEET if kind.is_sheet else kind.modality
        name = file_name(order.name) if order.name else default_name(order.segmentation, self.ct, ending)
        self._destination = ExportDestination(order.folder, name)
        output = self._destination.output("" if self._is_folder else order.options.format.suffix)
        return export_arguments(order, folder, output)

    def finish(self, finished: ExportFinishedEvent) -> Generator[int, None, ExportResult]:
        """Raises SegmentationError("OUTPUT_NOT_WRITABLE")."""
        order = self._order
        paths = self._destination.publish()
        mark_edited(order.segmentation, finished.edited, self._digests)
        in_database = None
        if order.adds_to_database and order.options.format.kind.is_dicom:
            in_database = yield from add_to_database(paths)
        modality = order.options.format.kind.modality
        return ExportResult(tuple(paths), order.folder, finished.structures, finished.seconds, in_database, modality)

    def discard(self) -> None:
        if self._destination is not None:
            self._destination.discard()

    def _made_on_id(self) -> str:
        """Of the volume on which the segmentation was made: a crop's border cuts structures as the CT's own does."""
        volume = reference_volume(self.segmentation) or self._order.ct
        is_other = volume is not self.ct and volume.GetParentTransformNode() is self.ct.GetParentTransformNode()
        return volume.GetID() if is_other else ""

    def _needs_voxels(self) -> bool:
        """For the body's outline, pictures, and the CT numbers of structures."""
        format_ = self._order.options.format
        return self._order.options.has_outline or format_.kind.is_sheet or format_.id == "volumes"
