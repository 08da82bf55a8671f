"""Reads what validating a DICOM series needs from each file's header, by pydicom, without the pixels.

One ``SliceHeader`` per image plane: one per file of a classic series, one per frame of an enhanced multi-frame file.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.pixel_data import StoredImage, read_to_pixels, stored_image
from TotalSegmentatorEngine.dicom_series.recognition import looks_like_dicom
from TotalSegmentatorEngine.dicom_series.series_labels import LABEL_TAGS, SliceLabels, labels_of

_log = logging.getLogger(__name__)

_CT_CLASSES = frozenset(["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"])
"""CT, Enhanced CT and Legacy Converted Enhanced CT Image Storage, PS3.6 table A-1."""

_UID = re.compile(r"\d+(\.\d+)+")

HEADER_DAMAGED = "its DICOM header is damaged"
"""What is said of a file whose header cannot be read."""

_TAGS = (
    "SOPClassUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "PatientID",
    "StudyInstanceUID",
    "Modality",
    "SeriesInstanceUID",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "PixelSpacing",
    "GantryDetectorTilt",
    "SpacingBetweenSlices",
    "SliceThickness",
    "SamplesPerPixel",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "PhotometricInterpretation",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "RescaleSlope",
    "RescaleIntercept",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
    *LABEL_TAGS,
)


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """One image plane. Fields that the file lacks or spoils are None."""

    path: Path
    frame: int | None
    """Index of the frame in a multi-frame file, None in a file of one image."""
    series_uid: str
    sop_class: str
    sop_uid: str
    frame_of_reference: str
    patient_id: str
    study_uid: str
    modality: str
    is_image: bool
    """False for structure sets, reports, presentation states and the like."""
    rows: int
    columns: int
    samples: int
    stored_type: tuple[int, int, int]
    """Bits allocated, bits stored, pixel representation (1: signed)."""
    photometric: str
    """Photometric Interpretation, empty where absent."""
    position: np.ndarray | None
    """ImagePositionPatient: LPS of the first pixel's centre in mm."""
    orientation: np.ndarray | None
    """2x3: LPS unit vectors along a row (i grows) and along a column (j grows)."""
    pixel_spacing: tuple[float, float] | None
    """Distance in mm of rows (along j), of columns (along i)."""
    tilt_degrees: float
    """GantryDetectorTilt as stated, 0 where absent."""
    stated_steps: tuple[float, ...]
    """SpacingBetweenSlices and SliceThickness in mm, which often are not the step between slices."""
    slope: float
    intercept: float
    states_rescaling: bool
    """False where slope or intercept is not in the file, or a slope of 0; they are 1 and 0 then, for GDCM too."""
    padding: tuple[int, ...]
    """Pixel Padding Value, and Pixel Padding Range Limit where there is one: the 16 bits as they stand in the file."""
    stored: StoredImage
    """What the file says about its pixels as a whole."""
    labels: SliceLabels


def read_headers(files: Iterable[Path]) -> list[SliceHeader]:
    """Headers of the DICOM files among ``files``, in their order; files that are no DICOM are passed over.

    Raises SegmentationError("INPUT_SLICE_UNUSABLE") as ``read_header`` does.
    """
    return [header for path in files for header in read_header(path)]


def read_header(path: Path) -> list[SliceHeader]:
    """The headers of one file: none where it is no DICOM file, one per frame of a multi-frame image.

    Raises SegmentationError("INPUT_SLICE_UNUSABLE") for a DICOM file with a damaged header: passing over it could
    shorten the series unnoticed.
    """
    if not looks_like_dicom(path):
        return []
    try:
        dataset, element = read_to_pixels(path, _TAGS)
        stored = stored_image(dataset, element)
        if _is_cut_off(dataset) or (element is not None and not (stored.rows and stored.columns)):
            raise EOFError
        per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
        if per_frame is None:
            # a multi-frame object without functional groups (a film loop) states no positions: one header shows it
            return [_header(path, None if stored.frames == 1 else 0, dataset, [dataset], stored)]
        if len(per_frame) != stored.frames:
            raise ValueError("another number of functional groups than of frames")
        shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])
        return [_header(path, number, dataset, [frame, *shared], stored) for number, frame in enumerate(per_frame)]
    except Exception as error:  # noqa: BLE001 - pydicom raises any kind of exception for damaged bytes
        _log.error("the DICOM header of a file cannot be read (%s)", type(error).__name__)
        raise SegmentationError("INPUT_SLICE_UNUSABLE", file=path.name, detail=HEADER_DAMAGED) from None


def _is_cut_off(dataset: Any) -> bool:
    """True where nothing could be read, a CT without its size, or an object of no class. A DICOMDIR has none of the
    tags by right, and raw data of a CT no image."""
    stated = (dataset.get("SOPClassUID"), dataset.file_meta.get("MediaStorageSOPClassUID"))
    classes = {str(uid) for uid in stated if uid}
    is_other = bool(classes) and all(map(_UID.fullmatch, classes)) and not classes & _CT_CLASSES
    if "Rows" in dataset or is_other:
        return False
    return bool(classes) or dataset.get("Modality") == "CT" or "SeriesInstanceUID" not in dataset


def _header(path: Path, frame: int | None, dataset: Any, groups: list[Any], stored: StoredImage) -> SliceHeader:
    """``groups``: where the geometry is looked for, in this order: the file itself, or its functional groups."""
    slope, intercept = (
        _find(groups, "PixelValueTransformationSequence", name) for name in ("RescaleSlope", "RescaleIntercept")
    )
    tilt = _numbers(dataset.get("GantryDetectorTilt"), 1)
    spacing = _numbers(_find(groups, "PixelMeasuresSequence", "PixelSpacing"), 2)
    orientation = _numbers(_find(groups, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
    return SliceHeader(
        path=path,
        frame=frame,
        series_uid=str(dataset.get("SeriesInstanceUID") or ""),
        sop_class=_identifier(dataset, "SOPClassUID"),
        sop_uid=_identifier(dataset, "SOPInstanceUID"),
        frame_of_reference=str(dataset.get("FrameOfReferenceUID") or ""),
        patient_id=str(dataset.get("PatientID") or "").strip(),
        study_uid=str(dataset.get("StudyInstanceUID") or ""),
        modality=str(dataset.get("Modality") or ""),
        is_image=bool(dataset.get("Rows")) and bool(dataset.get("Columns")),
        rows=int(dataset.get("Rows") or 0),
        columns=int(dataset.get("Columns") or 0),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        stored_type=tuple(
            int(dataset.get(name) or 0) for name in ("BitsAllocated", "BitsStored", "PixelRepresentation")
        ),
        photometric=str(dataset.get("PhotometricInterpretation") or "").strip(),
        position=_numbers(_find(groups, "PlanePositionSequence", "ImagePositionPatient"), 3),
        orientation=None if orientation is None else _unit_rows(orientation.reshape(2, 3)),
        pixel_spacing=None if spacing is None else (float(spacing[0]), float(spacing[1])),
        tilt_degrees=0.0 if tilt is None else float(tilt[0]),
        stated_steps=_stated_steps(groups),
        slope=float(slope or 1.0),
        intercept=float(intercept or 0.0),
        states_rescaling=bool(slope) and intercept is not None,
        padding=_padding(dataset),
        stored=stored,
        labels=labels_of(dataset, groups),
    )


def _stated_steps(groups: list[Any]) -> tuple[float, ...]:
    names = ("SpacingBetweenSlices", "SliceThickness")
    values = (_numbers(_find(groups, "PixelMeasuresSequence", name), 1) for name in names)
    return tuple(float(value[0]) for value in values if value is not None and value[0] > 0)


def _padding(dataset: Any) -> tuple[int, ...]:
    names = ("PixelPaddingValue", "PixelPaddingRangeLimit") if "PixelPaddingValue" in dataset else ()
    values = (_sixteen_bits(dataset, name) for name in names)
    return tuple(value for value in values if value is not None)


def _sixteen_bits(dataset: Any, name: str) -> int | None:
    """The number from its bytes: its representation is often wrong, and undefined in an implicit transfer syntax."""
    if name not in dataset:
        return None
    element = dataset.get_item(name)
    if isinstance(element.value, bytes):
        if len(element.value) == 2:
            return int.from_bytes(element.value, "little" if element.is_little_endian else "big")
        element = dataset[name]
    number = _numbers(element.value, 1)
    return None if number is None else int(number[0]) & 0xFFFF


def _identifier(dataset: Any, name: str) -> str:
    """The UID, from the file's meta information (PS3.10 7.1) where an anonymiser emptied it in the data set."""
    return str(dataset.get(name) or dataset.file_meta.get("MediaStorage" + name) or "")


def _find(groups: list[Any], sequence: str, name: str) -> Any:
    """The attribute in one of the groups, or in the first item of ``sequence`` in one of them; None where absent."""
    for group in groups:
        items = group.get(sequence) or [group]
        value = items[0].get(name)
        if value is not None and str(value) != "":
            return value
    return None


def _numbers(value: Any, count: int) -> np.ndarray | None:
    """``count`` finite numbers, or None."""
    if value is None:
        return None
    try:
        numbers = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        return None
    return numbers if numbers.shape == (count,) and np.isfinite(numbers).all() else None


def _unit_rows(vectors: np.ndarray) -> np.ndarray | None:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / lengths if lengths.min() > 0 else None
