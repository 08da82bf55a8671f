"""A CT for the command line, and a stand-in for the networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from one_model import model_result
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
from TotalSegmentatorWire.messages.segment import (
    EVENTS,
    FoundStructure,
    decode,
)
from TotalSegmentatorWire.tables.structures import structure_table

PATIENT = "Smith^John"
GRID = np.diag([4.0, 4.0, 2.0, 1.0])


def result_with_a_spleen(volume, prepared) -> SegmentationResult:
    """What ``pipeline.segment`` returns for a CT of at least 5 x 9 x 9 voxels."""
    labels = np.zeros(volume.array.shape, np.uint8)
    labels[2:5, 3:9, 4:9] = 1
    spleen = FoundStructure(1, "spleen", 90, [4, 8, 3, 8, 2, 4])
    return model_result(labels, prepared.structures, [spleen], [], "demo")


class FakeModel:
    """Finds a spleen above 0 HU and no liver."""

    class model:  # noqa: N801 - read as an attribute
        id = "fake"

        class profile:  # noqa: N801 - read as an attribute
            id = "nnunet"

    def __init__(self, task: SegmentationTask) -> None:
        self.task = task
        self.structures = [row for row in structure_table("structures_104") if row.name in ("spleen", "liver")]


def events_of(path: Path) -> list:
    return [decode(line, EVENTS) for line in path.read_text().splitlines()]
