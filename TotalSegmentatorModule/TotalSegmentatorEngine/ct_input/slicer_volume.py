"""What the DICOM headers say about a volume that Slicer hands over: Slicer shows neither a tilt nor a hole, reads short
pixels and slices without their rescaling as they are, and keeps padding.

Modality is validated always, and the pixels of all files that lie inside the volume: no resampling mends them. The rest
is validated only while the voxels are still those of the series (a user who resampled a tilted CT has done what the
error asks for, though Slicer keeps the series' identifiers on the volume).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader, read_header
from TotalSegmentatorEngine.dicom_series.padding import Range, is_unmeasured, padding_range, with_air
from TotalSegmentatorEngine.dicom_series.pixels import check_decoders, check_pixels, read_slice, store_alike
from TotalSegmentatorEngine.dicom_series.rescaling import check_against_neighbours, check_scale
from TotalSegmentatorEngine.dicom_series.slice_order import validate_series
from TotalSegmentatorEngine.imaging.geometry import LPS_FROM_RAS, Volume
from TotalSegmentatorEngine.series_selection.series_choice import select_of_files

SAME_PIXEL_HU = 1.5
"""Largest difference of a pixel between a DICOM slice and the same slice in Slicer: decoders of lossy JPEG may differ
by 1."""

SAME_PLACE_VOXELS = 0.5
"""A slice of the volume is that of the file whose first pixel is nearer than this to its own."""

_OF_ALL_SLICES = frozenset(["INPUT_UIDS_SHARED", "INPUT_MIXED_ORIGIN"])
"""Warnings that do not depend on what Slicer left out."""

_log = logging.getLogger(__name__)


def validated_by_headers(
    volume: Volume, dicom_files: Iterable[str], listen: Callable[[], None] = lambda: None
) -> tuple[np.ndarray, list[Problem]]:
    """The voxels of ``volume`` (k, j, i) with the padding that the headers of ``dicom_files`` state turned to air, and
    warnings about the series. ``listen`` is called for each file; it may raise to stop.

    Raises SegmentationError: INPUT_NOT_CT, and while the volume is the series itself all that a DICOM folder is refused
    for (select_of_files, validate_series, pixels.py, rescaling.py).
    """
    headers: list[SliceHeader] = []
    for path in map(Path, dicom_files):
        listen()
        try:
            headers += [found for found in read_header(path) if found.is_image]
        except SegmentationError:
            _log.warning("the series' headers cannot be read and were not validated")
            return volume.array, []
    if not headers:
        return volume.array, []
    other = next((found.modality for found in headers if found.modality != "CT"), None)
    if other is not None:
        raise SegmentationError("INPUT_NOT_CT", modality=other or "not stated")
    inside = [found for found in headers if _lies_inside(volume, found)]
    check_pixels(inside, listen)
    check_decoders((found for found in inside if found.stored.is_jpeg), listen)
    warnings: list[Problem] = []
    try:
        selected = select_of_files(headers)
        validate_series(selected.slices)
        check_scale(selected.slices)
        if selected.aside and len(headers) == volume.geometry.shape[0]:  # perhaps Slicer took it for a slice
            odd = selected.aside[0]
            raise SegmentationError("INPUT_SLICE_UNUSABLE", file=odd.header.path.name, detail=odd.detail)
        warnings = [problem for problem in selected.warnings if problem.code in _OF_ALL_SLICES]
    except SegmentationError as error:
        if _is_the_stack(volume, headers):
            raise
        _log.info("the series' headers show %s, but the volume is no longer that series", error.code)
    places = [_slice_of(volume, found) for found in headers]
    array = with_air(volume.array, _padding_of_slices(len(volume.array), headers, places), listen)
    if len(set(places)) == len(places) and None not in places and not store_alike(headers):
        order = np.argsort(places)
        check_against_neighbours(array[np.sort(places)], [headers[n] for n in order])
    return array, warnings


def _has_shape_of(volume: Volume, headers: list[SliceHeader]) -> bool:
    count, rows, columns = volume.geometry.shape
    return len(headers) == count and all((found.rows, found.columns) == (rows, columns) for found in headers)


def _is_the_stack(volume: Volume, headers: list[SliceHeader]) -> bool:
    """True while the volume holds the series' own pixels, in whatever order of slices.

    Three slices of the series are looked for. Whatever cannot be compared (another number of slices, another size) was
    resampled or cropped.
    """
    if not _has_shape_of(volume, headers) or any(found.frame is not None for found in headers):
        return False
    count = len(headers)
    try:
        return all(_holds_slice(volume.array, read_slice(headers[n])) for n in sorted({0, count // 2, count - 1}))
    except SegmentationError:
        return False


def _holds_slice(array: np.ndarray, pixels: np.ndarray) -> bool:
    """True where a slice of ``array`` (k, j, i) equals ``pixels`` (j, i). A coarse look first keeps this quick."""
    coarse = np.abs(array[:, ::8, ::8].astype(np.float32) - pixels[::8, ::8]).max(axis=(1, 2))
    candidates = array[coarse <= SAME_PIXEL_HU]
    return any(np.abs(slice_.astype(np.float32) - pixels).max() <= SAME_PIXEL_HU for slice_ in candidates)


def _padding_of_slices(count: int, headers: list[SliceHeader], places: list[int | None]) -> list[Range | None]:
    """What is padding in each of the volume's ``count`` slices; ``places``: the slice of each header. A slice that was
    cropped or resampled has no header of its own: it takes what all headers state alike, and only where no CT measures
    such values."""
    stated = {padding_range(header) for header in headers}
    common = stated.pop() if len(stated) == 1 else None
    ranges: list[Range | None] = [common if is_unmeasured(common) else None] * count
    for header, k in zip(headers, places, strict=True):
        if k is not None:
            ranges[k] = padding_range(header)
    return ranges


def _lies_inside(volume: Volume, header: SliceHeader) -> bool:
    """False for a slice that was cropped away: its position is beyond the volume's slices."""
    if header.position is None:
        return True
    k = float(_place(volume, header)[2])
    return -SAME_PLACE_VOXELS <= k <= volume.geometry.shape[0] - 1 + SAME_PLACE_VOXELS


def _place(volume: Volume, header: SliceHeader) -> np.ndarray:
    """Voxel coordinates (i, j, k) of the slice's first pixel."""
    ijk_from_lps = np.linalg.inv(LPS_FROM_RAS @ volume.geometry.ijk_to_ras)
    return (ijk_from_lps @ np.append(header.position, 1.0))[:3]


def _slice_of(volume: Volume, header: SliceHeader) -> int | None:
    """The slice of the volume that has the header's position and size, None where there is none."""
    count, rows, columns = volume.geometry.shape
    if header.position is None or (header.rows, header.columns) != (rows, columns):
        return None
    place = _place(volume, header)
    k = round(float(place[2]))
    is_there = np.abs(place - (0, 0, k)).max() < SAME_PLACE_VOXELS and 0 <= k < count
    return k if is_there else None
