"""Finds the files of one DICOM CT series in a folder, and reads it."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader, read_header, read_headers
from TotalSegmentatorEngine.dicom_series.pixels import read_planes, series_geometry
from TotalSegmentatorEngine.dicom_series.slice_order import validate_series
from TotalSegmentatorEngine.imaging.geometry import Volume, check_geometry

_DERIVED_MODALITIES = frozenset(["SEG", "RTDOSE", "RTIMAGE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "DOC"])
"""What may lie beside a CT series in its folder and is passed over where a series of images is there."""


def read_series(path: Path) -> tuple[Volume, str | None]:
    """The volume and SeriesInstanceUID (None where the files have none) of a folder, or of one file's series.

    A folder must hold the images of one series; objects derived from it, such as structure sets, are passed over, and
    so is what is no DICOM. Where the folder itself holds no DICOM file, its subfolders are searched. A file stands for
    all files of its folder with the same SeriesInstanceUID.

    Raises SegmentationError: INPUT_UNREADABLE, INPUT_SEVERAL_SERIES, and all that ``validate_series`` raises.
    """
    ordered = validate_series(series_headers(path))
    volume = Volume(read_planes(ordered), series_geometry(ordered))
    check_geometry(volume.geometry)
    return volume, ordered[0].series_uid or None


def series_headers(path: Path) -> list[SliceHeader]:
    """The headers that ``read_series`` validates, in the order of the files' names.

    Raises SegmentationError: INPUT_UNREADABLE, INPUT_SEVERAL_SERIES.
    """
    if path.is_dir():
        return _only_series(_folder_headers(path))
    own = read_header(path)
    if not own:
        raise SegmentationError("INPUT_UNREADABLE")
    beside = (other for other in sorted(path.parent.iterdir()) if other.is_file() and other != path)
    # headers of another modality may carry the same UID; only images of this one belong to it
    return own + [h for h in read_headers(beside) if h.series_uid == own[0].series_uid and h.is_image]


def _folder_headers(folder: Path) -> list[SliceHeader]:
    headers = read_headers(sorted(path for path in folder.iterdir() if path.is_file()))
    if not any(header.is_image for header in headers):
        below = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.parent != folder)
        headers += read_headers(below)
    if not headers:
        raise SegmentationError("INPUT_UNREADABLE")
    return headers


def _only_series(headers: list[SliceHeader]) -> list[SliceHeader]:
    images = [h for h in headers if h.is_image and h.modality not in _DERIVED_MODALITIES]
    chosen = images or headers
    count = len({header.series_uid for header in chosen})
    if count > 1 and images:
        raise SegmentationError("INPUT_SEVERAL_SERIES", count=count)
    return chosen
