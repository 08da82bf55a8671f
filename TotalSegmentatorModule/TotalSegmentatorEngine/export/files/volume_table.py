"""Writes the table of volumes: one row a structure, with its mean HU where the CT is there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from TotalSegmentatorEngine.export.core.label_volume import Progress, nothing_to_report
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.volumes import plane_volumes, volume_by_planes
from TotalSegmentatorEngine.export.files.label_table import segment_names, write_table
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_place
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume

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

    ``plane_distances``: position of each plane along the normal in mm, for a CT whose steps differ
    (ReferenceSeries.plane_distances); ``grid`` alone has equal steps. Mean and standard deviation (of the voxels
    themselves, divisor n) are those of ``ct``, (k, j, i) on ``grid`` in HU; the columns stay empty without it.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, and what ``progress`` raises.
    """
    check_place(path)
    if ct is not None and ct.array.shape != grid.shape:
        raise ValueError(f"CT {ct.array.shape} and grid {grid.shape} differ in shape")
    volumes = plane_volumes(grid, plane_distances)
    rows = []
    for index, roi in enumerate(rois):
        progress(index, roi)
        rows.append(_row(roi, volumes, ct))
    with atomic_file(path) as stream:
        write_table(stream, rows, COLUMNS)


def _row(roi: Roi, volumes: np.ndarray, ct: Volume | None) -> dict[str, Any]:
    mask = roi.voxels()
    row: dict[str, Any] = {
        "number": roi.number,
        "name": roi.name,
        "segments": segment_names(roi),
        "description": roi.description,
        "review_state": roi.review_state.value,
        "cut": roi.is_cut,
        "constructed": roi.is_constructed,
        "algorithm": roi.algorithm,
        "voxels": mask.count,
        "volume_ml": f"{volume_by_planes(mask, volumes):.3f}",
    }
    if ct is not None:
        values = ct.array[mask.box][mask.voxels].astype(np.float64)
        row |= {"mean_hu": f"{values.mean():.1f}", "sd_hu": f"{values.std():.1f}"}
    return row
