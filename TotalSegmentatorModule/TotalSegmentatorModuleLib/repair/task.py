"""A repair that the program works out; its outcome is read back, and nothing is changed."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.messages.export import ExportFinishedEvent
from TotalSegmentatorWire.messages.repair import REPAIR_HEADER, RepairedSegment, repair_header_from_json

from TotalSegmentatorModuleLib.repair.program_order import ProgramOrder
from TotalSegmentatorModuleLib.scene.dicom.files import InstanceSearch
from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity

_FOLDER = "repaired"


@dataclass(frozen=True, eq=False)
class Outcome:
    """Of one segment."""

    segment: RepairedSegment
    inside: np.ndarray
    """bool (k, j, i): the voxels that it would have, in the box of ``segment``."""


class RepairTask:
    """Fulfils program_run.ProgramTask; its result is a list of Outcomes, empty where nothing would change."""

    needs_dicom = False
    outlives_scene = False
    log_file = "repair.log"
    other = None

    def __init__(self, order: ProgramOrder) -> None:
        self._order = order
        self.segmentation, self.ct, self.segment_ids = order.node, order.ct, order.segment_ids
        self._arguments = order.arguments()
        self._folder = Path()

    def identity(self, _search: InstanceSearch | None) -> CtIdentity:
        return CtIdentity(sends_voxels=self._order.sends_voxels)

    def arguments(self, folder: Path, _segment_ids: list[str]) -> list[str]:
        self._folder = folder / _FOLDER
        return ["repair", *self._arguments, "--transferred", str(folder), "--output", str(self._folder)]

    def finish(self, _finished: ExportFinishedEvent) -> Generator[int, None, list[Outcome]]:
        """Raises OSError, SegmentationError("BAD_REQUEST"), ValueError where a file is not as the header says."""
        header = repair_header_from_json((self._folder / REPAIR_HEADER).read_text(encoding="utf-8"))
        outcomes = []
        for segment in header.segments:
            array = np.fromfile(self._folder / segment.file, np.uint8).reshape(segment.shape)
            outcomes.append(Outcome(segment, array.astype(bool)))
            yield 0
        return outcomes

    def discard(self) -> None:
        """The outcome is in the folder of the transferred segmentation and is removed with it."""
