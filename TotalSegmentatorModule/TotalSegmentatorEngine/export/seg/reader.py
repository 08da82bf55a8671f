"""Reads DICOM SEG objects, also those of others, onto a CT: binary, fractional and label map, overlapping or not.

A frame that lies on the CT's own pixels is taken as it is, on irregular planes too; anything else is resampled.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.pixel_data import pixel_fault, read_to_pixels, stored_image
from TotalSegmentatorEngine.export.core.codes import UNCODED, RoiCodes
from TotalSegmentatorEngine.export.core.roi import GENERATION_ALGORITHMS, ORIGIN_UNKNOWN
from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.dicom.object import stated_code
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure, check_origin, damage_told
from TotalSegmentatorEngine.export.dicom.reading_report import NUMBER_SHARED, OUTSIDE_CT, UNEVEN_SLICES, ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.seg.frame_placement import FramePlane, PiecePlacer, Pieces

if TYPE_CHECKING:
    from pydicom import Dataset

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation and Label Map Segmentation Storage, PS3.6 table A-1."""

BINARY, FRACTIONAL, LABELMAP = "BINARY", "FRACTIONAL", "LABELMAP"

FRACTION_INSIDE = 0.5
"""A fractional segmentation holds a voxel from this probability or occupancy on."""

_log = logging.getLogger(__name__)


def is_seg(path: Path) -> bool:
    """True for a DICOM file that says it is a Segmentation."""
    try:
        with damage_told():
            return _is_seg(_read(path, header_only=True))
    except SegmentationError:
        return False


def read_seg(path: Path, reference: ReferenceSeries, report: ReadingReport | None = None) -> list[ReadStructure]:
    """The structures with at least one voxel, in the order of their numbers, on ``reference.grid``.

    ``report`` gets what is left out, and why. Raises SegmentationError: SEGMENTATION_UNREADABLE, EXPORT_OTHER_PATIENT,
    EXPORT_OTHER_CT, and where every structure is left out also EXPORT_NUMBERS_SHARED, EXPORT_GEOMETRY_DIFFERS, and
    INPUT_IRREGULAR_SLICES where another grid would have to be resampled onto irregular planes.
    """
    report = ReadingReport() if report is None else report
    with damage_told():
        dataset = _read(path)
        if not _is_seg(dataset):
            raise _unreadable("it is not a DICOM SEG")
        frames = {str(dataset.get("FrameOfReferenceUID") or "")}
        check_origin(dataset, frames, _instances(dataset), reference, report)
        segments = _segments(dataset, report)
        planes, numbers = _frames(dataset)
        pieces = _pieces(path, dataset, segments, planes, numbers)
        _report_undescribed(dataset, pieces, report)
        placer = PiecePlacer(reference, planes)
        read = [_structure(number, segments[number], pieces[number], placer, report) for number in sorted(segments)]
    structures = [structure for structure in read if structure is not None]
    if not structures:
        report.check_something_left()
    return structures


def _structure(
    number: int, item: Dataset, pieces: Pieces, placer: PiecePlacer, report: ReadingReport
) -> ReadStructure | None:
    """None for a structure that is left out or has no voxel."""
    name = _name(item, number)
    if not pieces.voxels:
        report.note("STRUCTURE_WITHOUT_VOXELS", name)
        return None
    try:
        mask = placer.mask(pieces)
    except SegmentationError as error:
        report.leave_out(name, OUTSIDE_CT if error.code == "EXPORT_GEOMETRY_DIFFERS" else UNEVEN_SLICES, error)
        return None
    if mask.is_empty:  # thinner than the CT's slices
        report.note("STRUCTURE_WITHOUT_VOXELS", name)
        return None
    if placer.is_resampled(pieces):
        report.note("EXPORT_RESAMPLED", name)
    algorithm, algorithm_name = _algorithm(item)
    return ReadStructure(
        number=number,
        name=name,
        colour=_colour(item),
        interpreted_type="",
        mask=mask,
        algorithm=algorithm,
        algorithm_name=algorithm_name,
        origin=_text(item, "SegmentDescription") if algorithm_name.startswith(ALGORITHM_NAME) else "",
        codes=_codes(item),
        tracking_uid=_text(item, "TrackingUID"),
    )


def _unreadable(detail: str) -> SegmentationError:
    return SegmentationError("SEGMENTATION_UNREADABLE", detail=detail)


def _read(path: Path, header_only: bool = False) -> Dataset:
    import pydicom

    tags = ["SOPClassUID"] if header_only else None
    return pydicom.dcmread(path, force=True, specific_tags=tags, stop_before_pixels=True)


def _is_seg(dataset: Dataset) -> bool:
    return str(dataset.get("SOPClassUID") or "") in SEGMENTATION_CLASSES


def _kind(dataset: Dataset) -> str:
    """Segmentation Type (PS3.3 C.8.20.2): what the values of pixels mean. Some makers write small letters.

    Raises SegmentationError("SEGMENTATION_UNREADABLE") where nobody can know: every value of a fractional segmentation
    would count as inside, were it taken for a binary one.
    """
    if dataset.SOPClassUID == SEGMENTATION_CLASSES[1]:
        return LABELMAP
    stated = _text(dataset, "SegmentationType").upper()
    if stated == FRACTIONAL and not dataset.get("MaximumFractionalValue"):
        raise _unreadable("it does not say which value of a pixel is the whole")
    if stated in (BINARY, FRACTIONAL, LABELMAP):
        return stated
    if dataset.get("BitsAllocated") == 1:
        return BINARY
    raise _unreadable("it does not say what the values of its pixels mean")


# -- header ------------------------------------------------------------------------------------------------------------


def _report_undescribed(dataset: Dataset, pieces: dict[int, Pieces], report: ReadingReport) -> None:
    """Voxels of numbers that no segment has belong to nobody."""
    described = {int(item.SegmentNumber) for item in dataset.get("SegmentSequence") or []}
    for number, found in pieces.items():
        if number not in described and found.voxels:
            report.note("SEGMENTS_UNDESCRIBED", str(number))


def _instances(dataset: Dataset) -> set[str]:
    series = dataset.get("ReferencedSeriesSequence") or []
    images = [image for one in series for image in one.get("ReferencedInstanceSequence") or []]
    images += dataset.get("SourceImageSequence") or []
    return {str(image.get("ReferencedSOPInstanceUID") or "") for image in images} - {""}


def _frames(dataset: Dataset) -> tuple[list[FramePlane], list[int | None]]:
    """Each frame's plane and segment number; None in a label map."""
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
    per_frame = list(dataset.get("PerFrameFunctionalGroupsSequence") or [])
    is_label_map = _kind(dataset) == LABELMAP
    planes: dict[tuple, FramePlane] = {}
    of_frames: list[FramePlane] = []
    numbers: list[int | None] = []
    try:
        for frame in per_frame:
            groups = [frame, *shared]
            stated = (
                tuple(map(float, _group(groups, "PlanePositionSequence").ImagePositionPatient)),
                tuple(map(float, _group(groups, "PlaneOrientationSequence").ImageOrientationPatient)),
                tuple(map(float, _group(groups, "PixelMeasuresSequence").PixelSpacing)),
            )
            if stated not in planes:
                planes[stated] = FramePlane.stated(*stated)
            of_frames.append(planes[stated])
            segment = None if is_label_map else _group(groups, "SegmentIdentificationSequence")
            numbers.append(None if segment is None else int(segment.ReferencedSegmentNumber))
    except (KeyError, AttributeError, TypeError, ValueError, IndexError) as error:
        raise _unreadable("a frame has no position or no segment number") from error
    if not of_frames or len(of_frames) != int(dataset.get("NumberOfFrames") or 1):
        raise _unreadable("its frames are not described individually")
    return of_frames, numbers


def _group(groups: list[Dataset], name: str) -> Dataset:
    """The item of a functional group, the frame's own before the shared one. Raises KeyError."""
    return next((group for group in groups if name in group), groups[-1])[name].value[0]


def _segments(dataset: Dataset, report: ReadingReport) -> dict[int, Dataset]:
    """Segment number to its description, without the background of a label map.

    Segment Number is what frames refer to (PS3.3 C.8.20.2); of segments that share one nobody knows whose they are.
    """
    described: dict[int, list[Dataset]] = {}
    try:
        for item in dataset.get("SegmentSequence") or []:
            described.setdefault(int(item.SegmentNumber), []).append(item)
    except (AttributeError, TypeError, ValueError) as error:
        raise _unreadable("a segment has no number") from error
    segments = {}
    for number, items in described.items():
        names = list(dict.fromkeys(_name(item, number) for item in items))
        if number in _background(dataset):
            continue
        if len(names) == 1:  # once, or one segment that is described twice
            segments[number] = items[0]
            continue
        for name in names:
            report.leave_out(name, NUMBER_SHARED, SegmentationError("EXPORT_NUMBERS_SHARED", names=listed(names)))
    return segments


def _background(dataset: Dataset) -> set[int | None]:
    """Values of a label map that are no segment; no segment of the other kinds has the number 0 either."""
    return {0, dataset.get("PixelPaddingValue") if _kind(dataset) == LABELMAP else None}


def _name(item: Dataset, number: int) -> str:
    return _text(item, "SegmentLabel") or f"Segment {number}"


def _text(item: Dataset, keyword: str) -> str:
    return str(item.get(keyword) or "").strip()


def _algorithm(item: Dataset) -> tuple[str, str]:
    """Type and name; both empty for a structure of which seg_writer did not know who made it."""
    algorithm, name = _text(item, "SegmentAlgorithmType").upper(), _text(item, "SegmentAlgorithmName")
    if algorithm not in GENERATION_ALGORITHMS or name == ORIGIN_UNKNOWN:
        return "", ""
    return algorithm, name


def _codes(item: Dataset) -> RoiCodes | None:
    """Segment Description Macro, PS3.3 C.8.20.4. It wants codes always: UNCODED stands for none."""
    category = stated_code(item, "SegmentedPropertyCategoryCodeSequence")
    kind = stated_code(item, "SegmentedPropertyTypeCodeSequence")
    if category is None or kind is None:
        return None
    modifier = stated_code(item.SegmentedPropertyTypeCodeSequence[0], "SegmentedPropertyTypeModifierCodeSequence")
    codes = RoiCodes(category, kind, modifier, stated_code(item, "AnatomicRegionSequence"))
    return None if codes == UNCODED else codes


def _colour(item: Dataset) -> tuple[int, int, int] | None:
    from highdicom.color import CIELabColor

    value = item.get("RecommendedDisplayCIELabValue")
    if value is None or len(value) != 3:
        return None
    return CIELabColor.from_dicom_value([int(channel) for channel in value]).to_rgb(clip=True)


# -- pixels ------------------------------------------------------------------------------------------------------------


def _pieces(
    path: Path,
    dataset: Dataset,
    segments: dict[int, Dataset],
    planes: list[FramePlane],
    numbers: list[int | None],
) -> dict[int, Pieces]:
    """Segment number to its voxels, also for numbers without a description; one frame is read at a time."""
    pieces = {number: Pieces() for number in segments}
    background = _background(dataset)
    least = 1.0
    if _kind(dataset) == FRACTIONAL:
        least = FRACTION_INSIDE * float(dataset.MaximumFractionalValue)
    for plane, number, pixels in zip(planes, numbers, _decoded(path, dataset), strict=True):
        if number is not None:
            pieces.setdefault(number, Pieces()).add(plane, pixels >= least)
            continue
        for label in np.flatnonzero(np.bincount(pixels.ravel())).tolist():
            if label not in background:
                pieces.setdefault(label, Pieces()).add(plane, pixels == label)
    return pieces


def _decoded(path: Path, dataset: Dataset) -> Iterator[np.ndarray]:
    """Frame after frame (rows, columns). ``dataset`` is the file's header; a deflated file cannot be read in parts."""
    import pydicom
    from pydicom.pixels import iter_pixels
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    is_deflated = dataset.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    try:
        _check_whole(path)
        yield from iter_pixels(pydicom.dcmread(path) if is_deflated else path)
    except SegmentationError:
        raise
    except Exception as error:  # noqa: BLE001 - each decoder has its own kinds
        _log.error("decoding a DICOM SEG failed with %s", type(error).__name__)
        raise _unreadable("its pixels cannot be decoded") from None


def _check_whole(path: Path) -> None:
    """A decoder makes frames of what is left of pixel data: missing voxels would look like background."""
    dataset, element = read_to_pixels(path, _PIXEL_TAGS)
    fault = pixel_fault(path, stored_image(dataset, element))
    if fault is not None:
        _log.error("the pixel data of a DICOM SEG: %s", fault)
        raise _unreadable("its pixel data are incomplete or damaged")


_PIXEL_TAGS = ("Rows", "Columns", "SamplesPerPixel", "BitsAllocated", "NumberOfFrames")
