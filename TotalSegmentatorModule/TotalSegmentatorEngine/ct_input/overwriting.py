"""Whether a file that is to be written is one of those that are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from TotalSegmentatorEngine.dicom_series.recognition import looks_like_dicom


def is_input(path: Path, source: Path) -> bool:
    """Whether writing to ``path`` would replace ``source``, or a file that is read with it, by whatever link.

    With a folder its DICOM files are read; with one DICOM file, those of the same series in its folder. An output may
    be a folder, too. Raises OSError.
    """
    if not path.exists() or not source.exists():
        return False
    if path.is_dir():
        return path.samefile(source)
    if source.is_dir():
        return looks_like_dicom(path) and _is_among(path, _files_below(source))
    if path.samefile(source):
        return True
    return (
        looks_like_dicom(path)
        and looks_like_dicom(source)
        and _is_among(path, source.absolute().parent.iterdir())
        and _series_of(path) == _series_of(source) != ""
    )


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, _folders, names in os.walk(folder):
        yield from (Path(parent) / name for name in names)


def _is_among(path: Path, files: Iterator[Path]) -> bool:
    return any(file.is_file() and file.samefile(path) for file in files)


def _series_of(path: Path) -> str:
    """SeriesInstanceUID; empty where the file has none or cannot be read."""
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"], force=True)
        return str(header.get("SeriesInstanceUID", ""))
    except Exception:  # noqa: BLE001 - damaged files are no part of a series
        return ""
