"""Whether the Hounsfield units of each slice can be relied on, as far as its header and the slices beside it tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader

PHOTOMETRIC = ("MONOCHROME2", "")
"""What GDCM takes for plain values; empty: not stated."""

USUAL_DIFFERENCES = 2.0
LARGEST_DIFFERENCE_HU = 50.0
"""A slice that is rescaled otherwise than most may differ from the next one by twice as much as others do, and 50 HU
more. A damaged digit of the intercept that matters makes 100 HU."""


def check_scale(slices: Iterable[SliceHeader]) -> None:
    """Refuses headers that leave the Hounsfield units of one slice or all uncertain.

    A slice without Rescale Slope or Intercept among others that have them would be off by 1024 HU, mostly. GDCM turns
    the values of MONOCHROME1 round before it rescales them, which is meant for the eye.

    Raises SegmentationError: INPUT_RESCALE_MISSING, INPUT_PHOTOMETRIC.
    """
    slices = list(slices)
    without = [header for header in slices if not header.states_rescaling]
    if 0 < len(without) < len(slices):
        raise SegmentationError("INPUT_RESCALE_MISSING", count=len(without), file=without[0].path.name)
    other = next((header for header in slices if header.photometric not in PHOTOMETRIC), None)
    if other is not None:
        raise SegmentationError("INPUT_PHOTOMETRIC", file=other.path.name)


def check_against_neighbours(planes: np.ndarray, slices: list[SliceHeader]) -> None:
    """``planes`` (slices, rows, columns) in HU, padding turned to air, in the order of ``slices``.

    Where most slices are rescaled and stored alike and a few otherwise, the few must look like those beside them: their
    headers are damaged else. Series in which each slice has a scale of its own are not judged.

    Raises SegmentationError("INPUT_RESCALE_CONTRADICTED").
    """
    kinds = [(header.slope, header.intercept, header.stored_type) for header in slices]
    usual, count = Counter(kinds).most_common(1)[0]
    alike = np.array([kind == usual for kind in kinds])
    if count == len(slices) or count <= max(2, len(slices) / 2):
        return
    places = np.flatnonzero(alike)
    for odd in np.flatnonzero(~alike):
        near, next_to_it = sorted(places, key=lambda place, odd=odd: abs(place - odd))[:2]
        usual_hu, own_hu = _difference(planes[near], planes[next_to_it]), _difference(planes[odd], planes[near])
        if own_hu > USUAL_DIFFERENCES * usual_hu + LARGEST_DIFFERENCE_HU:
            raise SegmentationError("INPUT_RESCALE_CONTRADICTED", file=slices[odd].path.name, difference_hu=own_hu)


def _difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean distance of two slices' pixels in HU."""
    return float(np.abs(one.astype(np.float32) - other.astype(np.float32)).mean())
