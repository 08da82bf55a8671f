"""Orders the slices of a CT series by position, and refuses what is no straight, complete, regular volume."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.regular_grid import LARGEST_DISTANCE_MM, is_regular, slice_line, step_fit
from TotalSegmentatorEngine.imaging.geometry import MAXIMUM_SHEAR_DEGREES
from TotalSegmentatorEngine.imaging.validation import check_size

MAXIMUM_TILT_DEGREES = MAXIMUM_SHEAR_DEGREES
"""Largest angle between the line through the slice positions and the slices' normal."""

SMALLEST_STEP_OF_HOLES_MM = 0.5
"""Below it any step is a multiple of the smallest one, as the rounding of the positions allows for."""

SAME_POSITION_MM = 0.01
"""Slices closer than this along the normal lie at one position; no CT is reconstructed as finely."""

SAME_ORIENTATION = 1e-3
"""Largest difference of a direction cosine within a series (0.06 degrees): headers round to three decimals."""

SAME_PIXEL_SPACING_MM = 1e-3

STEPS_OF_A_REGION = 3
"""So many equal steps on end are meant; slices that get lost leave one or two wide steps in a place."""


def validate_series(headers: list[SliceHeader]) -> list[SliceHeader]:
    """The slices of one series ordered along their normal, if they make up a straight, complete, regular CT volume.

    Raises SegmentationError: what ``validate_planes`` raises, INPUT_IRREGULAR_SLICES, INPUT_TOO_FEW_SLICES.
    """
    slices, irregular = validate_planes(headers)
    if irregular is not None:
        raise irregular
    check_size((len(slices), slices[0].rows, slices[0].columns))
    return slices


def validate_planes(headers: list[SliceHeader]) -> tuple[list[SliceHeader], SegmentationError | None]:
    """The slices of one CT series ordered along their normal, be their steps regular or not.

    Where the steps differ without being multiples of each other, the second value says so (INPUT_IRREGULAR_SLICES).

    Raises SegmentationError: INPUT_NOT_CT, INPUT_NOT_SCALAR, INPUT_DEGENERATE_DIRECTION, INPUT_INCONSISTENT_SLICES,
    INPUT_DUPLICATE_SLICES, INPUT_GANTRY_TILT, INPUT_MISSING_SLICES, INPUT_IRREGULAR_SLICES (slices that lie beside the
    others).
    """
    other = next((header.modality for header in headers if header.modality != "CT"), None)
    if other is not None:
        raise SegmentationError("INPUT_NOT_CT", modality=other or "not stated")
    samples = max(header.samples for header in headers)
    if samples > 1:
        raise SegmentationError("INPUT_NOT_SCALAR", components=samples)
    slices = list(headers)
    _validate_consistency(slices)
    normal = np.cross(*slices[0].orientation)
    slices.sort(key=lambda header: float(header.position @ normal))
    if len(slices) == 1 and abs(slices[0].tilt_degrees) > MAXIMUM_TILT_DEGREES:
        # one position shows no tilt, so its header is believed: more slices of this series would not help
        raise SegmentationError("INPUT_GANTRY_TILT", degrees=abs(slices[0].tilt_degrees))
    return slices, _validate_positions(np.array([header.position for header in slices]), normal)


def _validate_consistency(slices: list[SliceHeader]) -> None:
    first = slices[0]
    for header in slices:
        if header.position is None or header.orientation is None or header.pixel_spacing is None:
            raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
    if np.linalg.norm(np.cross(*first.orientation)) < 0.5 or min(first.pixel_spacing) <= 0:
        raise SegmentationError("INPUT_DEGENERATE_DIRECTION")
    files = {header.path for header in slices}
    mixed = len(files) > 1 and any(header.frame is not None for header in slices)
    if mixed or not all(_is_alike(header, first) for header in slices):
        raise SegmentationError("INPUT_INCONSISTENT_SLICES")


def _is_alike(header: SliceHeader, first: SliceHeader) -> bool:
    return (
        (header.rows, header.columns) == (first.rows, first.columns)
        and np.abs(header.orientation - first.orientation).max() <= SAME_ORIENTATION
        and np.abs(np.subtract(header.pixel_spacing, first.pixel_spacing)).max() <= SAME_PIXEL_SPACING_MM
    )


def _validate_positions(positions: np.ndarray, normal: np.ndarray) -> SegmentationError | None:
    """``positions``: LPS in mm, shape (slices, 3), ordered along ``normal``. Returns what is wrong with the steps."""
    if len(positions) < 2:
        return None
    normal = normal / np.linalg.norm(normal)
    along = positions @ normal
    steps = np.diff(along)
    duplicates = int(np.count_nonzero(steps < SAME_POSITION_MM))
    if duplicates:
        raise SegmentationError("INPUT_DUPLICATE_SLICES", count=duplicates)
    line = slice_line(positions, normal)
    if line.tilt_degrees > MAXIMUM_TILT_DEGREES:
        raise SegmentationError("INPUT_GANTRY_TILT", degrees=line.tilt_degrees)
    _, step, off_mm = step_fit(along)
    if is_regular(line.beside + np.outer(off_mm, normal), step):
        return None
    multiples = _multiples(along)
    if multiples is not None:
        hole = int(np.argmax(multiples > 1))
        missing = int(multiples.sum()) - len(steps)
        raise SegmentationError("INPUT_MISSING_SLICES", missing=missing, position_mm=float(along[hole]))
    if np.abs(line.beside).max() > LARGEST_DISTANCE_MM:
        raise _irregular(np.linalg.norm(np.diff(positions, axis=0), axis=1))
    return _irregular(steps)


def _multiples(along: np.ndarray) -> np.ndarray | None:
    """How many times the series' own step fits into each step between slices at ``along`` (mm); None where the slices
    are on no regular grid, or where regions of the CT have steps of their own.

    Where more than half of the slices are missing, the usual step is twice the series' own: the smallest is tried too,
    unless it is so small that everything would be a multiple of it.
    """
    steps = np.diff(along)
    for step in (float(np.median(steps)), float(steps.min())):
        singles = steps[np.round(steps / step) == 1]
        if step < SMALLEST_STEP_OF_HOLES_MM or not len(singles):
            continue
        multiples = np.round(steps / singles.mean())  # a single step is that of rounded positions
        if multiples.min() < 1 or multiples.max() == 1:
            continue
        places = np.concatenate([[0.0], np.cumsum(multiples)])
        _, own_step, off_mm = step_fit(along, places)
        if is_regular(off_mm, own_step):
            return None if _has_regions(multiples) else multiples
    return None


def _has_regions(multiples: np.ndarray) -> bool:
    """True where every step comes several times on end: the CT was reconstructed so, finely here and coarsely there."""
    ends = np.flatnonzero(np.diff(multiples, append=-1.0))
    return bool(np.diff(ends, prepend=-1).min() >= STEPS_OF_A_REGION)


def _irregular(steps: np.ndarray) -> SegmentationError:
    return SegmentationError("INPUT_IRREGULAR_SLICES", smallest_mm=float(steps.min()), largest_mm=float(steps.max()))
