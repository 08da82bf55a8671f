"""The grid and the pixels of ordered, validated slices.

The grid comes from ImagePositionPatient, ImageOrientationPatient and PixelSpacing alone; SliceThickness and
SpacingBetweenSlices are not looked at, since both are often wrong. GDCM, inside SimpleITK, decodes the pixels (JPEG
2000 and the other compressions too) and applies RescaleSlope and RescaleIntercept.
"""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.imaging.geometry import LPS_FROM_RAS, Geometry
from TotalSegmentatorEngine.imaging.image_files import compact, unreadable

LONE_SLICE_STEP_MM = 1.0
"""Distance of slices on the grid of a single one; nothing is measured along it."""


def series_geometry(slices: list[SliceHeader]) -> Geometry:
    """The grid of validated, ordered slices: k steps from the first to the last position in equal parts.

    A single slice has no step; the grid's is LONE_SLICE_STEP_MM then.
    """
    first, last = slices[0], slices[-1]
    row_spacing, column_spacing = first.pixel_spacing
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, 0] = first.orientation[0] * column_spacing
    ijk_to_lps[:3, 1] = first.orientation[1] * row_spacing
    if len(slices) > 1:
        ijk_to_lps[:3, 2] = (last.position - first.position) / (len(slices) - 1)
    else:
        ijk_to_lps[:3, 2] = np.cross(*first.orientation) * LONE_SLICE_STEP_MM
    ijk_to_lps[:3, 3] = first.position
    return Geometry((len(slices), first.rows, first.columns), LPS_FROM_RAS @ ijk_to_lps)


def read_slice(header: SliceHeader) -> np.ndarray:
    """Rescaled pixels of one slice of a classic series, shape (rows, columns). Raises INPUT_UNREADABLE."""
    return read_planes([header])[0]


def read_planes(slices: list[SliceHeader]) -> np.ndarray:
    """Rescaled pixels of validated slices in their order, shape (slices, rows, columns). Raises INPUT_UNREADABLE."""
    import SimpleITK

    first = slices[0]
    try:
        if first.frame is not None:
            array = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(first.path)))
            array = array.reshape(-1, first.rows, first.columns)[[header.frame for header in slices]]
            _check_one_rescaling(slices)
        else:
            # it warns about steps that differ by rounding errors; the steps are validated above
            SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
            reader = SimpleITK.ImageSeriesReader()
            reader.SetFileNames([str(header.path) for header in slices])
            if not _store_alike(slices):
                # the reader takes the first slice's type for all: fractions in a later slice would be cut off
                reader.SetOutputPixelType(SimpleITK.sitkFloat32)
            array = SimpleITK.GetArrayFromImage(reader.Execute()).reshape(len(slices), first.rows, first.columns)
    except (RuntimeError, ValueError, IndexError) as error:
        raise unreadable(error) from None
    return compact(array)


def _store_alike(slices: list[SliceHeader]) -> bool:
    return len({(header.slope, header.intercept, header.stored_type) for header in slices}) == 1


def _check_one_rescaling(slices: list[SliceHeader]) -> None:
    """GDCM applies one rescaling to a whole multi-frame file; frames with rescalings of their own would be wrong."""
    if not _store_alike(slices):
        raise SegmentationError("INPUT_INCONSISTENT_SLICES")
