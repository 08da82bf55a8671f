"""Label images as segmentations: a value has a name only where something says so.

Label values mean nothing by themselves: 7 is the pancreas in one table and the aorta in another one. Names come from
the file (a table in a NIfTI header extension), from a table beside it, or from the table that somebody chose; where two
of these contradict each other, the image is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, structure_table

from TotalSegmentatorEngine.dicom_series.headers import looks_like_dicom
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of, unique_ids
from TotalSegmentatorEngine.export.core.shown_names import listed, shortened
from TotalSegmentatorEngine.export.dicom.reading_report import NUMBER_SHARED, ReadingReport
from TotalSegmentatorEngine.export.rois.tg263_names import is_named_as
from TotalSegmentatorEngine.export.sources.label_csv import is_label_csv, read_label_csv
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.image_files import is_nifti_name
from TotalSegmentatorEngine.imaging.label_names import LabelName, names_in_nifti

UNNAMED_COLOUR = (128, 174, 128)
"""Of a mask without a table."""

Names = dict[int, LabelName]

THE_FILE, FILE_NAME, BESIDE, CHOSEN = "the file", "the file's name", "the table beside it", "the chosen table"
"""Where names come from, as the error says it."""


def label_image(volume: Volume, path: Path, labels: str | None, report: ReadingReport) -> Segmentation:
    """The segments of the label image ``volume`` (k, j, i; whole numbers) from the file ``path``.

    ``labels``: a name of LABEL_TABLES, or the path of a CSV file. Without any table an image of a single value is one
    segment, named after the file. ``report`` gets values without a name where others have one.

    Raises SegmentationError: EXPORT_LABELS_UNNAMED, LABELS_CONTRADICT, LABEL_TABLE_INVALID, LABEL_TABLE_UNKNOWN,
    EXPORT_NUMBERS_SHARED.
    """
    values = [int(value) for value in np.unique(volume.array)]
    present = [value for value in values if value > 0]
    layers = (Layer(volume.array, volume.geometry),)
    chosen = {} if labels is None else chosen_names(labels)
    own = _own_names(path, report)
    _check_agreement(own, THE_FILE, chosen, CHOSEN)
    if len(present) <= 1 and not own and not report.left_out:
        mask = _mask(path, present[0] if present else 1)
        if labels is None:
            return Segmentation((mask,), layers)
        if present and mask.structure is not None:
            _check_agreement({mask.label: LabelName(mask.label, mask.name)}, FILE_NAME, chosen, CHOSEN)
    names = own | chosen
    unknown = [value for value in present if value not in names]
    if unknown and (labels in LABEL_TABLES or len(unknown) == len(present)):
        report.check_something_left()
        raise SegmentationError("EXPORT_LABELS_UNNAMED", count=len(unknown))
    for value in (*(value for value in values if value < 0), *unknown):
        report.note("LABELS_LEFT_OUT", str(value))
    segments = _segments([names[value] for value in present if value in names], labels)
    return Segmentation(tuple(segments), layers, report.left_out, volume.geometry)


def chosen_names(labels: str) -> Names:
    """Those of a table that somebody chose. Raises SegmentationError: LABEL_TABLE_UNKNOWN, LABEL_TABLE_INVALID."""
    if labels in LABEL_TABLES:
        return {row.label: LabelName(row.label, row.name, row.colour) for row in structure_table(labels)}
    if not Path(labels).is_file():
        raise SegmentationError("LABEL_TABLE_UNKNOWN", name=Path(labels).name, known=", ".join(LABEL_TABLES))
    return {row.value: row for row in read_label_csv(Path(labels))}


def check_chosen(names: Iterable[LabelName], labels: str) -> None:
    """Raises SegmentationError("LABELS_CONTRADICT") where the table that somebody chose gives a value another name."""
    _check_agreement({row.value: row for row in names}, THE_FILE, chosen_names(labels), CHOSEN)


def needs_table(path: Path) -> bool:
    """True for a label image that does not say what its values mean, neither itself nor by a table beside it."""
    if not path.is_file() or path.name.lower().endswith(".seg.nrrd") or looks_like_dicom(path):
        return False
    return not (is_nifti_name(path) and names_in_nifti(path)) and not is_label_csv(_table_beside(path))


# -- names -------------------------------------------------------------------------------------------------------------


def _own_names(path: Path, report: ReadingReport) -> Names:
    """From the file's header and from a table beside it, whichever there is."""
    inside = _unambiguous(names_in_nifti(path), report) if is_nifti_name(path) else {}
    table = _table_beside(path)
    beside = {row.value: row for row in read_label_csv(table)} if is_label_csv(table) else {}
    _check_agreement(inside, THE_FILE, beside, BESIDE)
    return beside | inside


def _unambiguous(rows: list[LabelName], report: ReadingReport) -> Names:
    """Without values that have several names: nobody knows whose voxels they are."""
    of_value: dict[int, list[LabelName]] = {}
    for row in rows:
        of_value.setdefault(row.value, []).append(row)
    names = {}
    for value, found in of_value.items():
        if all(_is_same_name(row.name, found[0].name) for row in found):
            names[value] = found[0]
            continue
        shared = SegmentationError("EXPORT_NUMBERS_SHARED", names=listed(row.name for row in found))
        for row in found:
            report.leave_out(row.name, NUMBER_SHARED, shared)
    return names


def _check_agreement(names: Names, source: str, others: Names, other_source: str) -> None:
    for value in sorted(names.keys() & others.keys()):
        if not _is_same_name(names[value].name, others[value].name):
            raise SegmentationError(
                "LABELS_CONTRADICT",
                value=value,
                name=shortened(names[value].name),
                source=source,
                other=shortened(others[value].name),
                other_source=other_source,
            )


def _is_same_name(first: str, second: str) -> bool:
    """True for two spellings of one name: "kidney_left", "Left kidney" and "Kidney_L"."""
    if _words(first) == _words(second):
        return True
    rows = [structure_of(name, name, {}) for name in (first, second)]
    if None not in rows:
        return rows[0].name == rows[1].name
    return any(row is not None and is_named_as(row, name) for row, name in zip(rows, (second, first), strict=True))


def _words(name: str) -> list[str]:
    return sorted(re.split(r"[\W_]+", name.casefold().strip()))


# -- segments ----------------------------------------------------------------------------------------------------------


def _segments(names: list[LabelName], labels: str | None) -> list[Segment]:
    table = {row.name: row for row in structure_table(labels)} if labels in LABEL_TABLES else {}
    segments = []
    for segment_id, label in zip(unique_ids(label.name for label in names), names, strict=True):
        row = table.get(label.name)
        name = label.name if row is None else row.display_name
        row = row or structure_of(label.name, label.name, {})
        colour = row.colour if row is not None else label.colour or UNNAMED_COLOUR
        segments.append(Segment(segment_id, name, colour, 0, label.value, {}, row))
    return segments


def _mask(path: Path, value: int) -> Segment:
    name = path.name.split(".")[0]
    row = structure_of(name, name, {})
    return Segment(name, name, row.colour if row is not None else UNNAMED_COLOUR, 0, value, {}, row)


def _table_beside(path: Path) -> Path:
    """Where an export writes the table of a label image."""
    name = path.name[: -len(".gz")] if path.name.lower().endswith(".gz") else path.name
    return path.with_name((name.rpartition(".")[0] or name) + ".csv")
