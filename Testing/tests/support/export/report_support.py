"""What readers of others find in a measurement report: highdicom, and dcmqi's tid1500reader."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from export_case import GRID, SHAPE, Case
from export_support import write_ct_series

REPORT, SEG = "m.dcm", "m.seg.dcm"
"""Names of the files of an export."""
MEASURES = ("Volume", "Mean", "Standard Deviation", "Median", "Fifth percentile", "Ninety-fifth percentile")
VOXEL_ML = 0.9 * 0.9 * 2.5 / 1000


class ReportCase(Case):
    """On a CT of many values, which differ from voxel to voxel."""

    def __init__(self, folder: Path, **attributes) -> None:
        super().__init__(folder)
        self.hu = np.full(SHAPE, -1000, np.int16)
        body = self.hu[:, 4:36, 5:43]
        body[:] = np.random.default_rng(7).integers(-150, 900, body.shape)
        self.ct = write_ct_series(self.folder / "ct of many values", self.hu, GRID, **attributes)

    def expected(self) -> dict[str, list[float]]:
        """By name, in the order of MEASURES."""
        return {name: counted(mask, self.hu) for name, mask in self.masks().items()}


def counted(mask: np.ndarray, hu: np.ndarray, voxel_ml: float = VOXEL_ML) -> list[float]:
    values = hu[mask]
    numbers = (mask.sum() * voxel_ml, values.mean(), values.std(), *np.percentile(values, (50, 5, 95)))
    return [float(number) for number in numbers]


def groups_of(path: Path) -> list[Any]:
    """highdicom's measurement groups."""
    from highdicom.sr import srread

    return srread(path).content.get_volumetric_roi_measurement_groups()


def referred_to(group) -> tuple[str, int]:
    """SOP Instance UID of the segmentation and number of the segment."""
    (item,) = group.referenced_segment[0].ReferencedSOPSequence
    return item.ReferencedSOPInstanceUID, int(item.ReferencedSegmentNumber)


def measured(group) -> list[float]:
    """Values in the order of MEASURES, which the codes must say."""
    measurements = group.get_measurements()
    said = [item.derivation.meaning if item.derivation else item.name.meaning for item in measurements]
    assert said == list(MEASURES)
    assert {item.unit.value for item in measurements[1:]} == {"[hnsf'U]"} and measurements[0].unit.value == "cm3"
    return [float(item.value) for item in measurements]


def read_by_dcmqi(path: Path, folder: Path) -> dict[str, Any]:
    """What tid1500reader makes of the report, by way of a file in ``folder``."""
    pytest.importorskip("dcmqi")
    program = Path(sys.executable).with_name("tid1500reader")
    output = folder / "report.json"
    command = [program, "--inputDICOM", path, "--outputMetadata", output]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return json.loads(output.read_text(encoding="utf-8"))
