"""The CT series below a folder, numbered, with what tells them apart: the list from which a user chooses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.slice_order import validate_planes
from TotalSegmentatorEngine.series_selection.series_parts import Part, SeriesContent, positions_along, take_apart

_STATES = {
    "INPUT_MISSING_SLICES": "slices missing",
    "INPUT_IRREGULAR_SLICES": "irregular steps",
    "INPUT_DUPLICATE_SLICES": "positions repeated",
    "INPUT_GANTRY_TILT": "gantry tilt",
}
_DERIVED_MODALITIES = frozenset(["SEG", "RTDOSE", "RTIMAGE", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "REG", "DOC"])
"""What may lie beside a CT series in its folder and is no series of images to choose."""


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one SeriesInstanceUID, or of one folder where the files state none."""

    uid: str
    images: tuple[SliceHeader, ...]

    @cached_property
    def content(self) -> SeriesContent:
        return take_apart(self.images)

    @property
    def is_ct_volume(self) -> bool:
        return any(image.modality == "CT" for image in self.images) and any(
            part.slices[0].modality == "CT" for part in self.content.parts
        )


@dataclass(frozen=True, eq=False)
class Row:
    """One volume that can be chosen."""

    id: str
    """ "3" of a series with one volume or of all its parts together, "3.2" of a part."""
    series: Series
    slices: tuple[SliceHeader, ...]
    words: tuple[str, ...] = ()
    is_together: bool = False
    """True for all parts of a series that has several; never chosen but by its id."""


@dataclass(frozen=True, eq=False)
class SeriesList:
    series: list[Series]
    """All series of images, CT or not, in an order that does not depend on the names of files."""

    @cached_property
    def rows(self) -> list[Row]:
        """Of the series that hold a CT volume."""
        volumes = [one for one in self.series if one.is_ct_volume]
        return [row for number, one in enumerate(volumes, start=1) for row in _rows(str(number), one)]

    @property
    def choices(self) -> list[Row]:
        return [row for row in self.rows if not row.is_together]


def list_series(images: Sequence[SliceHeader]) -> SeriesList:
    """``images``: the image headers of a folder tree."""
    groups: dict[tuple[str, str], list[SliceHeader]] = {}
    for header in images:
        if header.modality not in _DERIVED_MODALITIES:
            key = (header.series_uid, "" if header.series_uid else str(header.path.parent))
            groups.setdefault(key, []).append(header)
    return SeriesList(sorted((Series(uid, tuple(members)) for (uid, _), members in groups.items()), key=_order))


def choices_text(rows: Sequence[Row]) -> str:
    """A table for a terminal, without a line end at its end."""
    origins = _origins(rows)
    table = [_line(row, origins[row.slices[0].study_uid]) for row in rows]
    heads = ("--series", "Series", "What tells it apart", "Slices", "From mm", "To mm", "Step mm", "Note")
    used = [column for column, head in enumerate(heads) if any(line[column] for line in table)]
    return text_table(
        [heads[column] for column in used],
        [[line[column] for column in used] for line in table],
        right=("Slices", "From mm", "To mm", "Step mm"),
    )


def extent_mm(slices: Sequence[SliceHeader]) -> tuple[float, float]:
    """Position of the first and of the last slice along the normal; 0 where they state none."""
    if any(header.position is None or header.orientation is None for header in slices):
        return 0.0, 0.0
    along = positions_along(slices)
    return float(along.min()), float(along.max())


def series_name(row: Row) -> str:
    """Number and description, as far as the files state them."""
    labels = row.slices[0].labels
    number = "" if labels.series_number is None else f"{labels.series_number:g}"
    return " ".join(filter(None, (number, labels.description)))


def _order(series: Series) -> tuple:
    labels = series.images[0].labels
    number = labels.series_number
    return (
        min(header.labels.study_time for header in series.images),
        series.images[0].study_uid,
        number is None,
        number or 0.0,
        series.uid,
        str(series.images[0].path.parent),
    )


def _rows(number: str, series: Series) -> list[Row]:
    parts: list[Part] = [part for part in series.content.parts if part.slices[0].modality == "CT"]
    if len(parts) == 1:
        return [Row(number, series, parts[0].slices)]
    rows = [Row(f"{number}.{place}", series, part.slices, part.words) for place, part in enumerate(parts, start=1)]
    if series.content.together:
        words = (f"all {len(parts)} parts as one CT",)
        rows.append(Row(number, series, tuple(series.content.together), words, is_together=True))
    return rows


def _origins(rows: Sequence[Row]) -> dict[str, str]:
    """By StudyInstanceUID, what tells apart the studies and patients whose series are listed; mostly nothing."""
    first = {row.slices[0].study_uid: row.slices[0] for row in rows}
    patients = list(dict.fromkeys(header.patient_id for header in first.values()))
    dates = {header.labels.study_time[:8] for header in first.values()}
    words = {}
    for uid, header in first.items():
        patient = f"patient {patients.index(header.patient_id) + 1}" if len(patients) > 1 else ""
        date = f"study of {header.labels.study_time[:8] or 'unknown date'}" if len(dates) > 1 else ""
        words[uid] = ", ".join(filter(None, (patient, date)))
    return words


def _line(row: Row, origin: str) -> tuple[str, ...]:
    first, last = extent_mm(row.slices)
    steps = np.diff(positions_along(row.slices))
    return (
        row.id,
        series_name(row),
        ", ".join(filter(None, (origin, ", ".join(row.words) or _usual_words(row)))),
        str(len(row.slices)),
        f"{first:.1f}",
        f"{last:.1f}",
        f"{float(np.median(steps)):.2f}",
        _state(row.slices),
    )


def _usual_words(row: Row) -> str:
    """Of a series that is not taken apart: what usually tells series apart."""
    labels = row.slices[0].labels
    kernel, phase, contrast = (labels.value(name) for name in ("kernel", "phase", "contrast"))
    words = [f"kernel {kernel}" if kernel else "", f"phase {phase}" if phase else "", contrast]
    return ", ".join(word.replace("\\", "/")[:24] for word in words if word)


def _state(slices: Sequence[SliceHeader]) -> str:
    """What would make a choice fail, in two words."""
    try:
        _, irregular = validate_planes(list(slices))
    except SegmentationError as error:
        return _STATES.get(error.code, "not usable")
    return _STATES["INPUT_IRREGULAR_SLICES"] if irregular is not None else ""
