"""A comparison of a segmentation with somebody else's structures: the program's table is read back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent

from TotalSegmentatorModuleLib.compare.rows import Comparison, read_comparison
from TotalSegmentatorModuleLib.scene.cropped_volumes import whole_volume
from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch, require_all_files
from TotalSegmentatorModuleLib.tasks.program_run import OTHER_FOLDER
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

_TABLE_FILE = "comparison.csv"


@dataclass(frozen=True)
class OtherSide:
    """What a segmentation is compared with: a file, or a segmentation of the scene."""

    name: str
    """For the name of the table."""
    file: Path | None = None
    is_dicom: bool = False
    """Whether the file refers to the CT's DICOM series."""
    segmentation: Any = None
    """vtkMRMLSegmentationNode"""


@dataclass(frozen=True)
class ComparisonOrder:
    """What is compared with what."""

    segmentation: Any
    """vtkMRMLSegmentationNode"""
    segment_ids: tuple[str, ...]
    ct: Any
    """vtkMRMLScalarVolumeNode on whose voxels they meet; from DICOM if the other side is."""
    other: OtherSide
    pairs: Path | None = None
    """A file that says which names mean the same."""


class ComparisonTask:
    """Fulfils program_run.ProgramTask. Its result (Comparison) belongs into the scene, and ends with it."""

    needs_dicom = True  # where there is any: the series knows the positions of its slices better than the volume
    outlives_scene = False
    log_file = "comparison.log"

    def __init__(self, order: ComparisonOrder) -> None:
        self._order = order
        self.segmentation, self.segment_ids = order.segmentation, order.segment_ids
        self.ct = (whole_volume(order.ct) if order.other.is_dicom else None) or order.ct  # not a crop of it
        self.other = order.other.segmentation
        self._table = Path()

    def identity(self, search: InstanceSearch | None) -> CtIdentity:
        """Raises SegmentationError: EXPORT_FILES_MISSING, COMPARISON_NEEDS_SERIES."""
        if self._order.other.is_dicom:
            require_all_files(search)
            if not search.uids:
                raise SegmentationError("COMPARISON_NEEDS_SERIES")
        if search.missing:
            return CtIdentity()
        return CtIdentity(search.uids, tuple(search.files))

    def arguments(self, folder: Path, segment_ids: list[str]) -> list[str]:
        self._table = folder / _TABLE_FILE
        words = ["compare", "--transferred", str(folder), "--csv", str(self._table)]
        if self._order.pairs is not None:
            words += ["--pairs", str(self._order.pairs)]
        return [*words, str(self._order.other.file or folder / OTHER_FOLDER)]

    def finish(self, finished: ExportFinishedEvent) -> Generator[int, None, Comparison]:
        """Raises OSError, ValueError."""
        yield from ()  # the table is small
        return read_comparison(self._table)

    def discard(self) -> None:
        """The table is in the folder of the transferred segmentation and is removed with it."""
