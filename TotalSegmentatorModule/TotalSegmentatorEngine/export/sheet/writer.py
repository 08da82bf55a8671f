"""Writes a review sheet: the page to read, and its content as data beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from TotalSegmentatorEngine.export.sheet.contents import ReviewSheet
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file
from TotalSegmentatorEngine.imaging.geometry import Volume, canonical_reorientation

if TYPE_CHECKING:
    from pydicom import Dataset

    from TotalSegmentatorEngine.export.sheet.pictures import SheetPictures

_PATIENT = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyDescription",
    "AccessionNumber",
    "SeriesDescription",
    "StudyInstanceUID",
    "SeriesInstanceUID",
)
"""Attributes that are shown where the patient shall be named."""
_DIGITS = 16


def write_sheet(output: Path, data: Path | None, sheet: ReviewSheet, shown: SheetPictures | None) -> list[Path]:
    """``output``: .pdf, .html or .json by its suffix; ``data``: JSON beside it, if wanted; ``shown`` may be None for
    JSON alone. Both appear, or none. Returns what was written.

    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    contents = {output: _content(output, sheet, shown)}
    if data is not None:
        contents[data] = _json(sheet)
    with ExitStack() as files:
        for path, content in reversed(contents.items()):
            files.enter_context(atomic_file(path, len(content))).write(content)
    return list(contents)


def _content(output: Path, sheet: ReviewSheet, shown: SheetPictures | None) -> bytes:
    suffix = output.suffix.lower()
    if suffix == ".json":
        return _json(sheet)
    if suffix == ".html":
        from TotalSegmentatorEngine.export.sheet.html_page import html_page

        return html_page(sheet, shown).encode("utf-8")
    from TotalSegmentatorEngine.export.sheet.pdf_pages import pdf_pages

    return pdf_pages(sheet, shown)


def _json(sheet: ReviewSheet) -> bytes:
    return (json.dumps(sheet.to_json(), ensure_ascii=False, indent=1, allow_nan=False) + "\n").encode("utf-8")


def patient_of(dataset: Dataset) -> Mapping[str, str]:
    """What a series says of its patient and study; attributes that it lacks are left out."""
    values = {name: str(dataset.get(name, "") or "").strip() for name in _PATIENT}
    return {name: value for name, value in values.items() if value}


def ct_digest(ct: Volume) -> str:
    """Of the CT's values in HU and their grid, whatever the order of its voxels: SHA-256, 16 digits."""
    turn = canonical_reorientation(ct.geometry)
    grid, values = turn.grid(ct.geometry), turn.view(ct.array)
    described = [*grid.shape, *(f"{number:.3f}" for number in grid.ijk_to_ras.ravel() + 0.0)]
    digest = hashlib.sha256(" ".join(map(str, described)).encode("ascii"))
    for plane in values:
        digest.update(np.ascontiguousarray(np.rint(plane), dtype="<i4"))
    return digest.hexdigest()[:_DIGITS]
