"""Tables of label values in CSV files: those that somebody names with --labels, and those beside a label image."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.label_names import Colour, LabelName

VALUE_COLUMNS = ("labelvalue", "label_value", "value", "label", "id", "index", "key")
NAME_COLUMNS = ("name", "structure", "structure_name", "label_name", "labelname")
"""Heads of columns, without regard to case: the first that is there. ``LabelValue`` and ``Name`` are Slicer's."""

_COLOUR_COLUMNS = (("color_r", "color_g", "color_b"), ("red", "green", "blue"), ("r", "g", "b"))
_SEPARATORS = ",;\t"
_BACKGROUND = {"", "background", "bg", "clear label", "clear", "none", "unknown", "exterior", "air", "0", "???"}
"""What tables call the value 0."""


def read_label_csv(path: Path) -> list[LabelName]:
    """The rows of a CSV file with the columns ``label`` and ``name``, each value once; 0 is the background.

    Comma, semicolon or tab separate: the header line shows which. Raises SegmentationError("LABEL_TABLE_INVALID").
    """
    rows = _rows(path)
    columns = _columns(rows)
    if columns is None:
        raise _invalid("its first line must name the columns label and name")
    value_column, name_column = columns
    colours = next((c for c in _COLOUR_COLUMNS if rows and set(c) <= rows[0].keys()), ())
    found: dict[int, LabelName] = {}
    for line, row in enumerate(rows, start=2):
        name = " ".join((row[name_column] or "").split())
        value = _value(row[value_column], line)
        if value == 0:
            if name.casefold() not in _BACKGROUND:
                raise _invalid("row {} names the value 0, which is the background".format(line))
            continue
        if not name:
            raise _invalid("row {} has no name".format(line))
        if value in found and found[value].name != name:
            raise _invalid("it lists the value {} twice".format(value))
        found[value] = LabelName(value, name, _colour([row[column] for column in colours]))
    if not found:
        raise _invalid("it lists no label values")
    return list(found.values())


def is_label_csv(path: Path) -> bool:
    """True for a CSV file with columns for label values and names: one beside an image can be about anything."""
    try:
        return path.is_file() and _columns(_rows(path)) is not None
    except SegmentationError:
        return False


def _rows(path: Path) -> list[dict[str, str]]:
    """By column, in lower case."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        head = next((line for line in text.splitlines() if line.strip()), "")
        separator = max(_SEPARATORS, key=head.count)
        reader = csv.DictReader(
            io.StringIO(text.lstrip("\r\n")), delimiter=separator, skipinitialspace=True, strict=True
        )
        reader.fieldnames = [(name or "").strip().casefold() for name in reader.fieldnames or ()]
        return [row for row in reader if any((value or "").strip() for key, value in row.items() if key is not None)]
    except UnicodeDecodeError:
        raise _invalid("it is not UTF-8 text") from None
    except (OSError, csv.Error):
        raise _invalid("it is not a text file of comma-separated values") from None


def _columns(rows: list[dict[str, str]]) -> tuple[str, str] | None:
    """Of the values and of the names."""
    if not rows:
        return None
    value = next((column for column in VALUE_COLUMNS if column in rows[0]), None)
    name = next((column for column in (*NAME_COLUMNS, "label") if column in rows[0] and column != value), None)
    return None if value is None or name is None else (value, name)


def _value(cell: str | None, line: int) -> int:
    try:
        number = float((cell or "").strip())
        if not number.is_integer() or number < 0:
            raise ValueError
        return int(number)
    except (ValueError, OverflowError):
        raise _invalid("the label in row {} is not a whole number".format(line)) from None


def _colour(cells: list[str]) -> Colour | None:
    try:
        red, green, blue = (int(cell) for cell in cells)
    except (TypeError, ValueError):
        return None
    return (red, green, blue) if all(0 <= channel <= 255 for channel in (red, green, blue)) else None


def _invalid(detail: str) -> SegmentationError:
    return SegmentationError("LABEL_TABLE_INVALID", detail=detail)
