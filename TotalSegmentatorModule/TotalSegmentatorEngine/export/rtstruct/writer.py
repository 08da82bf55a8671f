"""Writes an RT Structure Set that attaches to a CT series: contours on its planes, references to all of its images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.dicom.object import quiet
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.series_words import CONTOURS, series_words
from TotalSegmentatorEngine.export.rtstruct.contour_encoding import (
    CLOSED_PLANAR,
    CLOSED_PLANAR_XOR,
    ContourWriter,
    element,
    item,
    sequence_header,
)
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions, RoiContours, roi_contours
from TotalSegmentatorEngine.export.rtstruct.dataset import check_words, structure_set_head, structure_set_tail
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_place

_ROI_CONTOUR_SEQUENCE = 0x30060039
_ROI_DISPLAY_COLOR = 0x3006002A
_CONTOUR_SEQUENCE = 0x30060040
_REFERENCED_ROI_NUMBER = 0x30060084


@dataclass(frozen=True)
class StructureSetOptions:
    """What a structure set is called and how its contours are made."""

    label: str | None = None
    """Structure Set Label, at most 16 characters: longer ones make Eclipse refuse the file. None: what series_words
    says of the structures."""
    contours: ContourOptions = field(default_factory=ContourOptions)


@dataclass
class StructureSetReport:
    """What a structure set holds, and what the options left out or changed."""

    structures: int = 0
    contours: int = 0
    points: int = 0
    islands: int = 0
    """Pieces on a plane below the smallest island, of structures that have others."""
    without_islands: list[str] = field(default_factory=list)
    """Names of these structures."""
    islands_ml: float = 0.0
    pixels: int = 0
    """Of all structures, each plane's pixels."""
    changed_pixels: int = 0
    """Of these and their neighbours, how many the smoothing moved to the other side of the boundary."""
    left_out: list[Roi] = field(default_factory=list)
    """Structures without a contour, all of which was below the smallest island."""
    bytes: int = 0

    @property
    def changed_percent(self) -> float:
        return 100.0 * self.changed_pixels / self.pixels if self.pixels else 0.0


def write_rtstruct(
    path: Path,
    rois: Sequence[Roi],
    reference: ReferenceSeries,
    options: StructureSetOptions | None = None,
    progress: Callable[[int, Roi], None] = lambda index, roi: None,
) -> StructureSetReport:
    """Write ``rois``, whose masks lie on ``reference.grid``, to ``path``, replacing a file of that name.

    ``progress`` gets each structure with its index before it is contoured, and may raise to cancel: no file is left
    then. Raises SegmentationError: EXPORT_NAME_INVALID, EXPORT_NO_CONTOURS where no structure has a contour,
    OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    options = options or StructureSetOptions()
    check_words(options.label, rois)
    check_place(path)
    report = StructureSetReport()
    encoder = _RoiEncoder(reference, options.contours, report)
    kept: list[Roi] = []
    items: list[bytes] = []
    for index, roi in enumerate(rois):
        progress(index, roi)
        encoded = encoder.encode(roi)
        if encoded is None:
            report.left_out.append(roi)
        else:
            kept.append(roi)
            items.append(encoded)
    if not kept:
        names = listed(roi.name for roi in rois)
        raise SegmentationError("EXPORT_NO_CONTOURS", names=names, area_mm2=options.contours.smallest_island_mm2)
    report.structures = len(kept)
    with atomic_file(path, sum(map(len, items))) as stream:
        _write(stream, kept, items, reference, options.label)
        report.bytes = stream.tell()
    return report


class _RoiEncoder:
    """Makes the items of ROI Contour Sequence (PS3.3 C.8.8.6) and counts into ``report``."""

    def __init__(self, reference: ReferenceSeries, options: ContourOptions, report: StructureSetReport) -> None:
        self._reference = reference
        self._options = options
        self._report = report
        self._writer = ContourWriter(reference)
        spacing = reference.grid.spacing
        self._pixel_ml = float(np.prod(spacing)) / 1000

    def encode(self, roi: Roi) -> bytes | None:
        """None where the structure has no contour."""
        mask = roi.voxels()
        if mask.shape != self._reference.grid.shape:
            raise ValueError(f"mask {mask.shape} and CT {self._reference.grid.shape} differ in shape")
        found = roi_contours(mask, self._options, self._reference.pixel_spacing)
        self._report.pixels += mask.count
        self._report.changed_pixels += found.changed_pixels
        contours = self._encoded(found)
        if not contours:
            return None
        if found.islands:
            self._report.islands += found.islands
            self._report.islands_ml += found.island_pixels * self._pixel_ml
            self._report.without_islands.append(roi.name)
        colour = "\\".join(str(channel) for channel in roi.colour)
        return item(
            element(_ROI_DISPLAY_COLOR, colour)
            + sequence_header(_CONTOUR_SEQUENCE, contours)
            + b"".join(contours)
            + element(_REFERENCED_ROI_NUMBER, str(roi.number))
        )

    def _encoded(self, found: RoiContours) -> list[bytes]:
        """A structure with one contour for a hole has only contours that are combined by exclusive or."""
        kind = CLOSED_PLANAR_XOR if any(contour.is_hole for contour in found) else CLOSED_PLANAR
        contours: list[bytes] = []
        for contour in found:
            encoded = self._writer.item(contour.plane, contour.points, len(contours) + 1, kind)
            if encoded is not None:
                contours.append(encoded[0])
                self._report.points += encoded[1]
        self._report.contours += len(contours)
        return contours


def _write(
    stream: BinaryIO, rois: Sequence[Roi], items: Sequence[bytes], reference: ReferenceSeries, label: str | None
) -> None:
    from pydicom.filebase import DicomIO
    from pydicom.filewriter import write_dataset

    head = structure_set_head(rois, reference, series_words(rois, CONTOURS, label), datetime.now())
    with quiet():
        head.save_as(stream, enforce_file_format=True)
        stream.write(sequence_header(_ROI_CONTOUR_SEQUENCE, items))
        for content in items:
            stream.write(content)
        target = DicomIO(stream)
        target.is_implicit_VR = target.is_little_endian = True
        write_dataset(target, structure_set_tail(rois), head.get("SpecificCharacterSet") or "ISO_IR 6")
