"""Writes the table of volumes: one row a structure, with its CT numbers where the CT is there, and what is usual."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from TotalSegmentatorWire.tables.usual_ranges import Range, hu_ranges, volume_ranges

from TotalSegmentatorEngine.export.core.label_volume import Progress, nothing_to_report
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.files.label_table import segment_names, write_table
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_place
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.statistics.structure_statistics import StructureStatistics, structure_statistics
from TotalSegmentatorEngine.statistics.voxel_volumes import plane_volumes

COLUMNS = (
    "number",
    "name",
    "segments",
    "description",
    "review_state",
    "cut",
    "constructed",
    "algorithm",
    "voxels",
    "volume_ml",
    "mean_hu",
    "sd_hu",
    "p5_hu",
    "median_hu",
    "p95_hu",
    "usual_low_ml",
    "usual_high_ml",
    "volume_source",
    "usual_low_hu",
    "usual_high_hu",
    "hu_source",
)


def write_volumes(
    path: Path,
    rois: Sequence[Roi],
    grid: Geometry,
    ct: Volume | None = None,
    plane_distances: np.ndarray | None = None,
    progress: Progress = nothing_to_report,
) -> None:
    """Write one row for each of ``rois`` to ``path`` (.csv).

    ``plane_distances`` as for ``plane_volumes``. CT numbers (mean, standard deviation of the voxels themselves with
    divisor n, percentiles) are those of ``ct``, (k, j, i) on ``grid`` in HU; the columns stay empty without it. So do
    the published ranges and their sources where there is none: one end, or both.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, and what ``progress`` raises.
    """
    check_place(path)
    volumes = plane_volumes(grid, plane_distances)
    rows = []
    for index, roi in enumerate(rois):
        progress(index, roi)
        rows.append(_row(roi, structure_statistics(roi.voxels(), volumes, None if ct is None else ct.array)))
    with atomic_file(path) as stream:
        write_table(stream, rows, COLUMNS)


def _row(roi: Roi, counted: StructureStatistics) -> dict[str, Any]:
    row: dict[str, Any] = {
        "number": roi.number,
        "name": roi.name,
        "segments": segment_names(roi),
        "description": roi.description,
        "review_state": roi.review_state.value,
        "cut": roi.is_cut,
        "constructed": roi.is_constructed,
        "algorithm": roi.algorithm,
        "voxels": counted.voxels,
        "volume_ml": f"{counted.volume_ml:.3f}",
    }
    if counted.hu is not None:
        row |= {f"{name}_hu": f"{value:.1f}" for name, value in dataclasses.asdict(counted.hu).items()}
    row |= _usual(volume_ranges().get(roi.structure), "ml", "volume_source")
    return row | _usual(hu_ranges().get(roi.structure), "hu", "hu_source")


def _usual(usual: Range | None, unit: str, source: str) -> dict[str, Any]:
    if usual is None:
        return {}
    ends = {f"usual_low_{unit}": usual.low, f"usual_high_{unit}": usual.high}
    return {name: f"{end:g}" for name, end in ends.items() if end is not None} | {source: usual.source}
