"""Finds the slice that lies beside the others, which would otherwise pass for a gantry tilt or irregular steps, and the
one that got into another series."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.regular_grid import LARGEST_DISTANCE_MM
from TotalSegmentatorEngine.dicom_series.slice_order import (
    SAME_ORIENTATION,
    SAME_PIXEL_SPACING_MM,
)
from TotalSegmentatorEngine.series_selection.series_list import Series
from TotalSegmentatorEngine.series_selection.stack_line import StackLine

_FEWEST_IN_LINE = 4
"""So many slices in line at least show which ones are aside."""

_LARGEST_SHARE_ASIDE = 0.2
"""Where more slices are aside, none of them is the odd one."""

_SAME_STEP = 0.1
"""Part of a step by which the next slice may lie off its place."""

_ROUNDING_MM = 0.1
"""Makers round positions to 0.1 mm; a slice that is aside by less is not odd."""


def check_line(slices: Sequence[SliceHeader]) -> None:
    """``slices``: parallel, ordered along their normal, all with positions.

    The line through them is fitted by medians, so that a few odd slices do not turn it. Raises
    SegmentationError("INPUT_SLICE_UNUSABLE") with the file of the slice that is farthest from it, where the others lie
    in line.
    """
    if len(slices) <= _FEWEST_IN_LINE:
        return
    line = StackLine(slices)
    distances = np.array([line.distance(header) for header in slices])
    aside = distances > LARGEST_DISTANCE_MM
    count = int(np.count_nonzero(aside))
    farthest = int(np.argmax(distances))
    if not count or count > _LARGEST_SHARE_ASIDE * len(slices) or distances[farthest] <= _ROUNDING_MM:
        return
    detail = f"it lies {distances[farthest]:.1f} mm beside the other slices"
    raise SegmentationError("INPUT_SLICE_UNUSABLE", file=slices[farthest].path.name, detail=detail)


def check_ends(slices: Sequence[SliceHeader], others: Sequence[Series]) -> None:
    """``others``: series of the same folder that are no volumes.

    Raises SegmentationError("INPUT_SLICE_UNUSABLE") where one of their images lies exactly where the series would go on
    at its ends, or in one of its gaps, and has its size and orientation.
    """
    if len(slices) < 2:
        return
    line = StackLine(slices)
    for header in (image for series in others for image in series.images):
        if line.step and _is_like(header, slices[0]):
            distance = float(np.abs(line.along - line.place(header)).min())
            allowed = _SAME_STEP * line.step
            if abs(distance - line.step) <= allowed and line.distance(header) <= allowed:
                detail = "it has another Series Instance UID, but lies where the next slice would be"
                raise SegmentationError("INPUT_SLICE_UNUSABLE", file=header.path.name, detail=detail)


def _is_like(header: SliceHeader, first: SliceHeader) -> bool:
    return (
        header.position is not None
        and header.orientation is not None
        and header.pixel_spacing is not None
        and header.modality == first.modality
        and header.frame_of_reference == first.frame_of_reference
        and header.labels.image_type == first.labels.image_type
        and (header.rows, header.columns) == (first.rows, first.columns)
        and bool(np.abs(header.orientation - first.orientation).max() <= SAME_ORIENTATION)
        and bool(np.abs(np.subtract(header.pixel_spacing, first.pixel_spacing)).max() <= SAME_PIXEL_SPACING_MM)
    )
