"""A comparison of a segmentation with a file of somebody else's structures: the program's table is read back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import ExportFinishedEvent

from TotalSegmentatorModuleLib.compare.rows import ComparisonRows, read_comparison
from TotalSegmentatorModuleLib.scene.dicom_files import InstanceSearch, require_all_files
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

_TABLE_FILE = "comparison.csv"


@dataclass(frozen=True)
class ComparisonOrder:
    """What is compared with what."""

    segmentation: Any
    """vtkMRMLSegmentationNode"""
    segment_ids: tuple[str, ...]
    ct: Any
    """vtkMRMLScalarVolumeNode that came from DICOM: the other structures are drawn on its series."""
    theirs: Path
    """An RT Structure Set, a DICOM SEG or a .seg.nrrd file."""
    pairs: Path | None = None
    """A file that says which names mean the same."""


class ComparisonTask:
    """Fulfils program_run.ProgramTask. Its result (ComparisonRows) belongs into the scene, and ends with it."""

    needs_dicom = True
    outlives_scene = False
    log_file = "comparison.log"

    def __init__(self, order: ComparisonOrder) -> None:
        self._order = order
        self.segmentation, self.segment_ids, self.ct = order.segmentation, order.segment_ids, order.ct
        self._table = Path()

    def identity(self, search: InstanceSearch | None) -> CtIdentity:
        """Raises SegmentationError: EXPORT_FILES_MISSING, EXPORT_NOT_DICOM."""
        require_all_files(search)
        if not search.uids:
            raise SegmentationError("EXPORT_NOT_DICOM")
        return CtIdentity(search.uids, tuple(search.files))

    def arguments(self, folder: Path, segment_ids: list[str]) -> list[str]:
        self._table = folder / _TABLE_FILE
        words = ["compare", "--transferred", str(folder), "--csv", str(self._table)]
        if self._order.pairs is not None:
            words += ["--pairs", str(self._order.pairs)]
        return [*words, str(self._order.theirs)]

    def finish(self, finished: ExportFinishedEvent) -> Generator[int, None, ComparisonRows]:
        """Raises OSError, ValueError."""
        yield from ()  # the table is small
        return read_comparison(self._table)

    def discard(self) -> None:
        """The table is in the folder of the transferred segmentation and is removed with it."""
