"""How large a structure is, how dense, and where it lies: measured by the engine when it was computed and when it was
checked again, kept in a segment's tag.

Nothing is counted here: the label image of a large CT would hold up the application for a second or more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.messages.measures import StructureMeasures
from TotalSegmentatorWire.messages.segment import ResultHeader
from TotalSegmentatorWire.tables.result_tags import PREFIX

from TotalSegmentatorModuleLib.tags.segment_tags import read_json_tag, write_json_tag

MEASURES_TAG = PREFIX + "Measures"
"""Of a segment: JSON, ``{"volume_ml": number, "mean_hu": number or null, "bounds_ras_mm": [r, r, a, a, s, s]}``."""


@dataclass(frozen=True)
class Measures:
    """Of a structure as the engine saw it last; edits do not change them until it is checked again."""

    volume_ml: float
    mean_hu: float | None
    bounds_ras_mm: tuple[float, float, float, float, float, float]
    """Lowest and highest R, A and S in mm, in the segmentation's own coordinates."""

    @property
    def centre(self) -> tuple[float, float, float]:
        """Of the box, R, A, S in mm; it may lie outside a curved structure."""
        r0, r1, a0, a1, s0, s1 = self.bounds_ras_mm
        return (r0 + r1) / 2, (a0 + a1) / 2, (s0 + s1) / 2

    @property
    def radius(self) -> float:
        """Half the diagonal of the box in mm."""
        low, high = np.array(self.bounds_ras_mm[0::2]), np.array(self.bounds_ras_mm[1::2])
        return float(np.linalg.norm(high - low)) / 2

    def overlaps(self, other: Measures) -> bool:
        """Whether the two boxes share a point."""
        pairs = zip(self.bounds_ras_mm[0::2], self.bounds_ras_mm[1::2], strict=True)
        others = zip(other.bounds_ras_mm[0::2], other.bounds_ras_mm[1::2], strict=True)
        return all(
            low <= other_high and other_low <= high
            for (low, high), (other_low, other_high) in zip(pairs, others, strict=True)
        )


def write_measures(segments: Mapping[str, object], header: ResultHeader) -> None:
    """Keep in each vtkSegment of a result, by its name, what the header says about it."""
    ijk_to_ras = np.asarray(header.ijk_to_ras, dtype=float).reshape(4, 4)
    voxel_ml = abs(float(np.linalg.det(ijk_to_ras[:3, :3]))) / 1000
    for found in header.found:
        volume_ml = found.voxels * voxel_ml if found.volume_ml is None else found.volume_ml
        _write(segments[found.name], volume_ml, found.mean_hu, _bounds(found.extent, ijk_to_ras))


def replace_measures(segment, measures: StructureMeasures | None, to_own: np.ndarray) -> None:
    """What was measured when a vtkSegment was checked again; None where it has no voxels any more. ``to_own``: 4 x 4,
    from the CT's space to the segmentation's own."""
    before = read_measures(segment)
    if measures is None:
        if before is not None:
            _write(segment, 0.0, None, list(before.bounds_ras_mm))
        return
    sides = measures.bounds_ras_mm
    ends = [(r, a, s, 1.0) for r in sides[:2] for a in sides[2:4] for s in sides[4:]]
    _write(segment, measures.volume_ml, measures.mean_hu, _box_around(ends, to_own))


def read_measures(segment) -> Measures | None:
    """Of a vtkSegment; None for one that this module did not make."""
    content = read_json_tag(segment, MEASURES_TAG)
    try:
        bounds = tuple(float(x) for x in content["bounds_ras_mm"])
        hu = content["mean_hu"]
        measures = Measures(float(content["volume_ml"]), None if hu is None else float(hu), bounds)
    except (TypeError, KeyError, ValueError):
        return None
    return measures if len(bounds) == 6 else None


def _bounds(extent: list[int], ijk_to_ras: np.ndarray) -> list[float]:
    """The box in RAS around the voxels of ``extent`` (i_min, i_max, j_min, ... inclusive), to their outer faces."""
    i0, i1, j0, j1, k0, k1 = extent
    ends = [(i, j, k, 1.0) for i in (i0 - 0.5, i1 + 0.5) for j in (j0 - 0.5, j1 + 0.5) for k in (k0 - 0.5, k1 + 0.5)]
    return _box_around(ends, ijk_to_ras)


def _box_around(ends: list[tuple[float, float, float, float]], matrix: np.ndarray) -> list[float]:
    corners = (np.array(ends) @ matrix.T)[:, :3]
    return [round(float(x), 2) for axis in range(3) for x in (corners[:, axis].min(), corners[:, axis].max())]


def _write(segment, volume_ml: float | None, mean_hu: float | None, bounds_ras_mm: list[float]) -> None:
    content = {
        "volume_ml": None if volume_ml is None else round(volume_ml, 3),  # a result that was kept may lack it
        "mean_hu": None if mean_hu is None else round(mean_hu, 1),
        "bounds_ras_mm": bounds_ras_mm,
    }
    if read_json_tag(segment, MEASURES_TAG) != content:  # so that nobody hears of what stays as it is
        write_json_tag(segment, MEASURES_TAG, content)
