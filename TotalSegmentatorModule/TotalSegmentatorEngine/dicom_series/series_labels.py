"""What tells the images of one DICOM series apart besides their geometry, and what names the series to a user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

LABELS: dict[str, tuple[str, ...]] = {
    "patient": ("PatientID",),
    "study": ("StudyInstanceUID",),
    "phase": (
        "TemporalPositionIdentifier",
        "TemporalPositionIndex",
        "NominalPercentageOfCardiacPhase",
        "NominalCardiacTriggerDelayTime",
        "TriggerTime",
    ),
    "kernel": ("ConvolutionKernel",),
    "image type": ("ImageType",),
    "kV": ("KVP",),
    "slice thickness": ("SliceThickness",),
    "contrast": ("ContrastBolusAgent",),
    "series": ("SeriesDescription",),
    "position": ("PatientPosition",),
    "comment": ("ImageComments",),
    "frame of reference": ("FrameOfReferenceUID",),
}
"""Labels that all slices of one volume share, by what users call them, with the attributes that state them (PS3.3
C.7.3.1, C.7.6.1, C.7.6.16.2, C.8.2.1, C.7.6.18); the first one that is there counts. Numbers and times that may differ
from slice to slice are fields of their own."""

UNSHOWN = ("patient", "study", "frame of reference")
"""Labels whose values identify somebody: they are numbered instead."""

_OF_FRAMES = {
    "AcquisitionNumber": ("FrameContentSequence", "FrameAcquisitionNumber"),
    "AcquisitionDateTime": ("FrameContentSequence", "FrameAcquisitionDateTime"),
    "TemporalPositionIndex": ("FrameContentSequence", "TemporalPositionIndex"),
    "NominalPercentageOfCardiacPhase": ("CardiacSynchronizationSequence", "NominalPercentageOfCardiacPhase"),
    "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
    "ImageType": ("CTImageFrameTypeSequence", "FrameType"),
    "KVP": ("CTXRayDetailsSequence", "KVP"),
    "SliceThickness": ("PixelMeasuresSequence", "SliceThickness"),
}
"""Where an enhanced multi-frame image states them for each frame, PS3.3 C.7.6.16 and C.8.15.3."""

_OTHERS = (
    "AcquisitionNumber",
    "AcquisitionDateTime",
    "AcquisitionDate",
    "AcquisitionTime",
    "ContentDate",
    "ContentTime",
    "InstanceNumber",
    "PatientName",
    "SeriesNumber",
    "StudyDate",
    "StudyTime",
)
LABEL_TAGS = [*dict.fromkeys((*(name for names in LABELS.values() for name in names), *_OTHERS))]
"""Keywords of the attributes that are read."""

_BINARY = frozenset(
    [
        "FrameAcquisitionNumber",
        "NominalCardiacTriggerDelayTime",
        "NominalPercentageOfCardiacPhase",
        "TemporalPositionIndex",
    ]
)
"""Not stored as text: US, UL or FD, PS3.6."""

_LONGEST_SHOWN = 32


@dataclass(frozen=True)
class SliceLabels:
    """Numbers are None and texts empty where the file states none."""

    values: tuple[str, ...]
    """Of LABELS, in their order."""
    acquisition: float | None
    """AcquisitionNumber"""
    seconds: float | None
    """When the slice was acquired, in seconds since some day."""
    written_seconds: float | None
    """When the image was made of what was acquired, likewise."""
    instance: float | None
    """InstanceNumber"""
    series_number: float | None
    description: str
    """SeriesDescription as it can be shown: short, on one line, without the patient's name or number."""
    study_time: str
    """Date and time of the study, for sorting."""

    def value(self, label: str) -> str:
        return self.values[list(LABELS).index(label)]

    @property
    def image_type(self) -> tuple[str, ...]:
        return tuple(part.strip().upper() for part in self.value("image type").split("\\"))


def labels_of(dataset: Any, groups: list[Any]) -> SliceLabels:
    """``groups``: the file itself or, for a frame, its functional groups, as in headers.py."""
    frames = groups if groups[0] is not dataset else []

    def text(keyword: str) -> str:
        return (_of_frame(frames, *_OF_FRAMES[keyword]) if frames and keyword in _OF_FRAMES else "") or _text(
            dataset, keyword
        )

    def first(keywords: tuple[str, ...]) -> str:
        return next((found for keyword in keywords if (found := text(keyword))), "")

    moment = text("AcquisitionDateTime") or text("AcquisitionDate") + text("AcquisitionTime")
    values = {name: first(keywords) for name, keywords in LABELS.items()}
    values["comment"] = _without_names(dataset, values["comment"])
    return SliceLabels(
        values=tuple(values.values()),
        acquisition=_number(text("AcquisitionNumber")),
        seconds=_seconds(moment),
        written_seconds=_seconds(text("ContentDate") + text("ContentTime")),
        instance=_number(text("InstanceNumber")),
        series_number=_number(text("SeriesNumber")),
        description=_description(dataset),
        study_time=text("StudyDate") + text("StudyTime"),
    )


def _text(dataset: Any, keyword: str) -> str:
    """The value as text. What pydicom has not decoded yet is taken as it is, which is ten times as quick."""
    tag = _tag(keyword)
    if tag not in dataset:
        return ""
    value = dataset.get(keyword) if keyword in _BINARY else dataset.get_item(tag).value
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("latin-1").strip(" \0")
    is_many = not isinstance(value, str) and hasattr(value, "__iter__")
    return "\\".join(map(str, value)) if is_many else str(value).strip()


@cache
def _tag(keyword: str) -> Any:
    from pydicom.tag import Tag

    return Tag(keyword)


def _of_frame(groups: list[Any], sequence: str, keyword: str) -> str:
    for group in groups:
        items = group.get(sequence)
        if items and (found := _text(items[0], keyword)):
            return found
    return ""


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def _seconds(moment: str) -> float | None:
    """Of DT, of DA and TM together, or of TM alone (PS3.5 6.2)."""
    digits = re.sub(r"[:\s]", "", moment)
    match = re.fullmatch(r"(\d{8})?(\d{2})(\d{2})?(\d{2})?(\.\d+)?([+-]\d{4})?", digits)
    if match is None:
        return None
    day = 0.0
    if match[1]:
        try:
            day = datetime.strptime(match[1], "%Y%m%d").toordinal() * 86400.0
        except ValueError:
            return None
    return day + int(match[2]) * 3600 + int(match[3] or 0) * 60 + int(match[4] or 0) + float(match[5] or 0)


def _description(dataset: Any) -> str:
    text = _text(dataset, "SeriesDescription")
    if not text.isascii():
        text = str(dataset.get("SeriesDescription"))  # decoded by the file's character set
    return _without_names(dataset, text)


def _without_names(dataset: Any, text: str) -> str:
    """A free text as it can be shown."""
    return _shown(text, f"{_text(dataset, 'PatientName')} {_text(dataset, 'PatientID')}") if text else ""


@lru_cache
def _shown(text: str, names: str) -> str:
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    for private in re.split(r"[\^=\s,]+", names):
        if len(private) > 2:
            text = re.sub(re.escape(private), "...", text, flags=re.IGNORECASE)
    return " ".join(text.split())[:_LONGEST_SHOWN]
