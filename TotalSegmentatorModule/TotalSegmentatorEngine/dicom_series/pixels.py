"""The grid and the pixels of ordered, validated slices.

The grid comes from ImagePositionPatient, ImageOrientationPatient and PixelSpacing. SliceThickness and
SpacingBetweenSlices are often wrong; they decide nothing but what rounded positions leave open. GDCM, inside SimpleITK,
decodes the pixels (JPEG 2000 and the other compressions too) and applies RescaleSlope and RescaleIntercept. It makes an
image of damaged pixels too, at most with a line on standard error: so files are checked before, and such a line counts.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.gdcm_files import openable
from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.padding import padding_range, with_air
from TotalSegmentatorEngine.dicom_series.pixel_data import pixel_fault
from TotalSegmentatorEngine.dicom_series.regular_grid import grid_of
from TotalSegmentatorEngine.dicom_series.rescaling import check_against_neighbours, check_scale
from TotalSegmentatorEngine.imaging.geometry import LPS_FROM_RAS, Geometry
from TotalSegmentatorEngine.imaging.image_files import compact, unreadable
from TotalSegmentatorEngine.imaging.library_output import library_lines

LONE_SLICE_STEP_MM = 1.0
"""Distance of slices on the grid of a single one; nothing is measured along it."""

_log = logging.getLogger(__name__)


def series_geometry(slices: list[SliceHeader]) -> Geometry:
    """The grid of validated, ordered slices: the one of least squares through their positions (regular_grid.py).

    A single slice has no step; the grid's is LONE_SLICE_STEP_MM then.
    """
    first = prevailing_plane(slices)
    row_spacing, column_spacing = first.pixel_spacing
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, 0] = first.orientation[0] * column_spacing
    ijk_to_lps[:3, 1] = first.orientation[1] * row_spacing
    normal = np.cross(*first.orientation)
    if len(slices) > 1:
        positions = np.array([header.position for header in slices])
        ijk_to_lps[:3, 3], ijk_to_lps[:3, 2] = grid_of(positions, normal, first.stated_steps)
    else:
        ijk_to_lps[:3, 3], ijk_to_lps[:3, 2] = slices[0].position, normal * LONE_SLICE_STEP_MM
    return Geometry((len(slices), first.rows, first.columns), LPS_FROM_RAS @ ijk_to_lps)


def prevailing_plane(slices: list[SliceHeader]) -> SliceHeader:
    """The first slice that has the pixel spacing and orientation of most: they may differ by a last digit."""
    planes = [(header.pixel_spacing, header.orientation.tobytes()) for header in slices]
    return slices[planes.index(Counter(planes).most_common(1)[0][0])]


def read_slice(header: SliceHeader) -> np.ndarray:
    """Rescaled pixels of one slice of a classic series, shape (rows, columns), as Slicer has them: with padding.

    Raises SegmentationError: INPUT_UNREADABLE.
    """
    return compact(_checked_planes([header])[0])


def read_planes(slices: list[SliceHeader]) -> np.ndarray:
    """Rescaled pixels of validated slices in their order, padding turned to air, shape (slices, rows, columns).

    Raises SegmentationError: INPUT_UNREADABLE for pixels that are incomplete or that a decoder complains about,
    what rescaling.py refuses, INPUT_INCONSISTENT_SLICES.
    """
    check_scale(slices)
    planes = with_air(_checked_planes(slices), [padding_range(header) for header in slices])
    check_against_neighbours(planes, slices)
    return compact(planes)


def check_pixels(slices: Iterable[SliceHeader], listen: Callable[[], None] = lambda: None) -> None:
    """Each file holds the pixels that its header promises; nothing is decoded. ``listen`` is called for each file.

    Raises SegmentationError: INPUT_UNREADABLE.
    """
    for path, stored in {header.path: header.stored for header in slices}.items():
        listen()
        try:
            fault = pixel_fault(path, stored)
        except OSError as error:
            raise unreadable(error, path) from None
        if fault is not None:
            raise _damaged(path, fault)


def _damaged(path: Path, fault: str) -> SegmentationError:
    _log.error("the pixels of a file are damaged: %s", fault)
    return SegmentationError("INPUT_UNREADABLE", file=path.name)


def _checked_planes(slices: list[SliceHeader]) -> np.ndarray:
    check_pixels(slices)
    with library_lines() as lines:
        try:
            array = _decoded(slices)
        except SegmentationError:
            check_decoders(slices)
            raise
    if lines:
        check_decoders(header for header in slices if header.stored.is_compressed)
    return array


def check_decoders(slices: Iterable[SliceHeader], listen: Callable[[], None] = lambda: None) -> None:
    """Finds the file that cannot be decoded, or the compressed one whose decoder prints something: it makes an image of
    damaged data, and says so there. ``listen`` is called for each file.

    Raises SegmentationError("INPUT_UNREADABLE").
    """
    for path, header in {header.path: header for header in slices}.items():
        listen()
        with library_lines() as lines:
            try:
                _decoded([header])
            except SegmentationError:
                raise _damaged(path, "its pixels cannot be decoded") from None
        if lines and header.stored.is_compressed:
            raise _damaged(path, "a decoder complains")


def _decoded(slices: list[SliceHeader]) -> np.ndarray:
    first = slices[0]
    paths = [header.path for header in (slices if first.frame is None else slices[:1])]
    try:
        try:
            return _decoded_from(list(map(str, paths)), slices)
        except (RuntimeError, TypeError):  # SimpleITK raises TypeError for names that are not UTF-8
            with openable(paths) as names:
                if names is None:
                    raise
                return _decoded_from(names, slices)
    except (RuntimeError, TypeError, ValueError, IndexError, OSError) as error:
        raise unreadable(error, first.path) from None


def _decoded_from(names: list[str], slices: list[SliceHeader]) -> np.ndarray:
    """``names``: the files of ``slices``, or the one file of all frames."""
    import SimpleITK

    first = slices[0]
    if first.frame is not None:
        array = _array_of(SimpleITK.ReadImage(names[0]))
        array = array.reshape(-1, first.rows, first.columns)[[header.frame for header in slices]]
        _check_one_rescaling(slices)
        return array
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(names)
    if not store_alike(slices):
        # the reader takes the first slice's type for all: fractions in a later slice would be cut off
        reader.SetOutputPixelType(SimpleITK.sitkFloat32)
    return _array_of(reader.Execute()).reshape(len(slices), first.rows, first.columns)


def _array_of(image: Any) -> np.ndarray:
    """The image's voxels, copied once: out of the image's memory, which goes with it, or in being made compact."""
    import SimpleITK

    view = SimpleITK.GetArrayViewFromImage(image)
    array = compact(view)
    return array if array.flags.writeable else array.copy()


def store_alike(slices: list[SliceHeader]) -> bool:
    """True where one rescaling and one type of pixels hold for all."""
    return len({(header.slope, header.intercept, header.stored_type) for header in slices}) == 1


def _check_one_rescaling(slices: list[SliceHeader]) -> None:
    """GDCM applies one rescaling to a whole multi-frame file; frames with rescalings of their own would be wrong."""
    if not store_alike(slices):
        raise SegmentationError("INPUT_INCONSISTENT_SLICES")
