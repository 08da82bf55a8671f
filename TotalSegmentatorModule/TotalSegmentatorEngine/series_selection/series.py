"""Reads the one DICOM CT series of a folder or file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorEngine.dicom_series.pixels import read_planes, series_geometry
from TotalSegmentatorEngine.dicom_series.slice_order import validate_series
from TotalSegmentatorEngine.imaging.geometry import Volume, check_geometry
from TotalSegmentatorEngine.series_selection.series_choice import (
    ANY_SERIES,
    Select,
    SelectedSeries,
    SeriesChoice,
    select_series,
)


@dataclass(frozen=True, eq=False)
class ReadSeries:
    """A series that was read, and what was chosen and passed over for it."""

    volume: Volume
    series_uid: str | None
    """SeriesInstanceUID, None where the files have none."""
    selected: SelectedSeries


def read_series(path: Path, choice: SeriesChoice = ANY_SERIES, select: Select = select_series) -> ReadSeries:
    """The CT series of a folder tree, or of the series that a file belongs to.

    The folder and all folders below are searched. The one series of parallel CT images is taken; localizers, dose
    pages, other objects and what is no DICOM are passed over. A file stands for its series in its folder and below.

    Raises SegmentationError: what ``select_series`` and ``validate_series`` raise, INPUT_UNREADABLE.
    """
    selected = select(path, choice)
    ordered = validate_series(selected.slices)
    volume = Volume(read_planes(ordered), series_geometry(ordered))
    check_geometry(volume.geometry)
    return ReadSeries(volume, ordered[0].series_uid or None, selected)
