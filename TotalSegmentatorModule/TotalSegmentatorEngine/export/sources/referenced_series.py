"""Which CT series a segmentation refers to, so that a folder with several series needs no choice."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG, series_digest

from TotalSegmentatorEngine.dicom_series.recognition import looks_like_dicom
from TotalSegmentatorEngine.export.dicom.object import quiet
from TotalSegmentatorEngine.series_selection.series_choice import SeriesChoice

if TYPE_CHECKING:
    from pydicom import Dataset

_SEQUENCES = (
    "ReferencedFrameOfReferenceSequence",
    "RTReferencedStudySequence",
    "RTReferencedSeriesSequence",
    "ContourImageSequence",
    "ReferencedSeriesSequence",
    "ReferencedInstanceSequence",
    "SourceImageSequence",
)
"""Of a structure set, PS3.3 C.8.8.5, and of a SEG, C.12.4 and C.8.20.2."""

_LONGEST_HEADER = 1 << 24
"""Bytes of a .seg.nrrd file that are searched for the end of its header."""

_log = logging.getLogger(__name__)


def choice_for(segmentations: Sequence[Path | None], named: str | None) -> SeriesChoice:
    """The series that the user ``named``, else the one that the first of the segmentations with a reference means."""
    for path in segmentations:
        if named is None and path is not None and path.is_file():
            choice = _dicom_references(path) if looks_like_dicom(path) else _slicer_references(path)
            if choice is not None:
                return choice
    return SeriesChoice(named)


def _dicom_references(path: Path) -> SeriesChoice | None:
    import pydicom

    try:
        with quiet():
            dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(_SEQUENCES))
            items = list(_items(dataset))
            series = {str(item.get("SeriesInstanceUID") or "") for item in items} - {""}
            instances = {str(item.get("ReferencedSOPInstanceUID") or "") for item in items} - {""}
    except Exception as error:  # noqa: BLE001 - pydicom raises any kind of exception; whoever reads the file tells
        _log.error("the references of a segmentation cannot be read (%s)", type(error).__name__)
        return None
    return SeriesChoice(series=frozenset(series), instances=frozenset(instances)) if series or instances else None


def _items(dataset: Dataset | Any) -> Iterator[Any]:
    for name in _SEQUENCES:
        for item in dataset.get(name) or ():
            yield item
            yield from _items(item)


def _slicer_references(path: Path) -> SeriesChoice | None:
    """By the digest that this program writes into each segment's tags."""
    if not path.name.lower().endswith((".nrrd", ".nhdr")):
        return None
    with path.open("rb") as stream:
        header = b""
        while len(header) < _LONGEST_HEADER and b"\n\n" not in header and b"\r\n\r\n" not in header:
            more = stream.read(1 << 16)
            if not more:
                break
            header += more
    digests = {found.decode() for found in re.findall(re.escape(CT_SERIES_TAG).encode() + rb":([0-9a-f]+)", header)}
    return SeriesChoice(is_series=lambda uid: series_digest(uid) in digests) if digests else None
