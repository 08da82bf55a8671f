"""The CT series that contours and segments refer to: its planes with their identifiers, and what is copied from it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader, read_headers
from TotalSegmentatorEngine.dicom_series.pixels import prevailing_plane, read_planes, series_geometry
from TotalSegmentatorEngine.dicom_series.slice_order import validate_planes
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, check_geometry
from TotalSegmentatorEngine.series_selection.series_choice import (
    ANY_SERIES,
    Select,
    SelectedSeries,
    SeriesChoice,
    select_of_files,
    select_series,
)

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, eq=False)
class Plane:
    """One image plane of the series."""

    sop_class_uid: str
    sop_instance_uid: str
    position: np.ndarray
    """LPS of the first pixel's centre in mm, shape (3,)."""
    path: Path
    frame_number: int | None = None
    """From 1, in a multi-frame image; None in a file of one image."""


@dataclass(frozen=True, eq=False)
class ReferenceSeries:
    """A validated CT series. Its planes lie in parallel and straight above each other, at steps that may differ."""

    planes: tuple[Plane, ...]
    """Ordered along ``normal``."""
    rows: int
    columns: int
    pixel_spacing: tuple[float, float]
    """Distance in mm of rows (along j), of columns (along i)."""
    orientation: np.ndarray
    """2x3: LPS unit vectors along a row (i grows) and along a column (j grows)."""
    irregular: SegmentationError | None
    """Says how the steps differ; None where they are equal."""
    grid: Geometry
    """Shape (planes, rows, columns); plane number k is slice k. Where the steps differ it has their mean."""
    dataset: Dataset
    """The header of the first plane's file, without pixels: patient, study, series."""

    @property
    def is_regular(self) -> bool:
        return self.irregular is None

    @property
    def series_instance_uid(self) -> str:
        """Empty where the files have none."""
        return str(self.dataset.get("SeriesInstanceUID") or "")

    @property
    def frame_of_reference_uid(self) -> str:
        return str(self.dataset.FrameOfReferenceUID)

    @property
    def normal(self) -> np.ndarray:
        """LPS unit vector of row x column, shape (3,)."""
        normal = np.cross(*self.orientation)
        return normal / np.linalg.norm(normal)

    @property
    def plane_distances(self) -> np.ndarray:
        """Position of each plane along ``normal`` in mm, shape (planes,)."""
        return np.array([plane.position for plane in self.planes]) @ self.normal

    def points_lps(self, k: int, ij: np.ndarray) -> np.ndarray:
        """LPS in mm, shape (n, 3), of the pixel coordinates ``ij`` (n, 2: column i, row j) on plane ``k``.

        PS3.3 C.7.6.2.1.1; pixel centres have whole numbers.
        """
        row_distance, column_distance = self.pixel_spacing
        along = np.asarray(ij, dtype=np.float64) * (column_distance, row_distance)
        return self.planes[k].position + along @ self.orientation

    def pixels_of(self, points_lps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixel coordinates (n, 2: i, j) and position along ``normal`` in mm (n,) of points (n, 3) in LPS.

        What ``points_lps`` does, backwards; the planes lie straight above each other, so the first one serves all.
        """
        points = np.asarray(points_lps, dtype=np.float64).reshape(-1, 3)
        row_distance, column_distance = self.pixel_spacing
        from_first = points - self.planes[0].position
        drift = self._drift
        along_normal = from_first @ self.normal
        in_plane = from_first - np.outer(along_normal, drift)
        return in_plane @ self.orientation.T / (column_distance, row_distance), points @ self.normal

    @property
    def _drift(self) -> np.ndarray:
        """How far a plane lies beside the one below, per mm along the normal: less than 0.1 degrees is no tilt."""
        path = self.planes[-1].position - self.planes[0].position
        height = float(path @ self.normal)
        return path / height if height else self.normal


def read_reference(
    path: Path,
    choice: SeriesChoice = ANY_SERIES,
    report: Callable[[SelectedSeries], None] = lambda selected: None,
    select: Select = select_series,
) -> ReferenceSeries:
    """The CT series of a DICOM folder, or of one file of it; ``report`` gets what was chosen and passed over.
    ``select`` finds its files.

    Raises SegmentationError: INPUT_NOT_FOUND, EXPORT_MIXED_SERIES, EXPORT_NO_FRAME_OF_REFERENCE, what ``select_series``
    raises and what ``dicom_series.validate_planes`` raises (INPUT_GANTRY_TILT, ...).
    """
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    selected = select(path, choice)
    reference = _reference(selected.slices)
    report(selected)
    return reference


def reference_of_files(files: Sequence[Path]) -> ReferenceSeries:
    """The series whose files these are.

    Raises SegmentationError: EXPORT_FILES_MISSING, and what ``read_reference`` raises.
    """
    missing = sum(not file.is_file() for file in files)
    if missing:
        raise SegmentationError("EXPORT_FILES_MISSING", count=missing)
    headers = [header for header in read_headers(files) if header.is_image]
    if not headers:
        raise SegmentationError("INPUT_UNREADABLE", file=files[0].name)
    return _reference(select_of_files(headers, as_one=True).slices)


def check_identifiers(reference: ReferenceSeries) -> None:
    """Before structures refer to the planes. Raises SegmentationError("EXPORT_MIXED_SERIES")."""
    files: dict[str, set[Path]] = {}
    for plane in reference.planes:
        files.setdefault(plane.sop_instance_uid, set()).add(plane.path)
    if any(uid and len(paths) > 1 for uid, paths in files.items()):
        detail = "several slices share one SOP Instance UID, so structures cannot refer to them"
        raise SegmentationError("EXPORT_MIXED_SERIES", detail=detail)


def reference_volume(reference: ReferenceSeries) -> Volume:
    """The series' pixels in HU, (k, j, i) of ``reference.grid``. Raises SegmentationError("INPUT_UNREADABLE")."""
    return Volume(read_planes(_headers_of(reference)), reference.grid)


def _headers_of(reference: ReferenceSeries) -> list[SliceHeader]:
    """The planes' headers again, in the planes' order."""
    files = list(dict.fromkeys(plane.path for plane in reference.planes))
    found = {(header.path, header.frame): header for header in read_headers(files)}
    frames = (None if plane.frame_number is None else plane.frame_number - 1 for plane in reference.planes)
    return [found[plane.path, frame] for plane, frame in zip(reference.planes, frames, strict=True)]


def _reference(headers: list[SliceHeader]) -> ReferenceSeries:
    slices, irregular = validate_planes(headers)
    if len({header.patient_id for header in slices}) > 1 or len({header.study_uid for header in slices}) > 1:
        detail = "they belong to different patients or studies"
        raise SegmentationError("EXPORT_MIXED_SERIES", detail=detail)
    frames_of_reference = {header.frame_of_reference for header in slices}
    if len(frames_of_reference) != 1 or "" in frames_of_reference:
        raise SegmentationError("EXPORT_NO_FRAME_OF_REFERENCE")
    first, plane = slices[0], prevailing_plane(slices)
    return ReferenceSeries(
        planes=tuple(_plane(header) for header in slices),
        rows=first.rows,
        columns=first.columns,
        pixel_spacing=plane.pixel_spacing,
        orientation=plane.orientation,
        irregular=irregular,
        grid=_grid(slices),
        dataset=_header_dataset(first.path),
    )


def _plane(header: SliceHeader) -> Plane:
    frame_number = None if header.frame is None else header.frame + 1
    return Plane(header.sop_class, header.sop_uid, header.position, header.path, frame_number)


def _grid(slices: list[SliceHeader]) -> Geometry:
    geometry = series_geometry(slices)
    check_geometry(geometry)
    return geometry


def _header_dataset(path: Path) -> Dataset:
    import pydicom
    from pydicom.errors import InvalidDicomError

    logging.getLogger("pydicom").propagate = False  # its messages hold paths and values
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydicom.dcmread(path, stop_before_pixels=True, force=True)
    except (OSError, InvalidDicomError, ValueError) as error:
        raise SegmentationError("INPUT_UNREADABLE", file=path.name) from error
