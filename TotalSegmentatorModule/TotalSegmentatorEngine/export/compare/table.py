"""The comparison of two segmentations as a table to print and as a CSV file."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.messages.comparison import (
    COLUMNS,
    DICE_DIGITS,
    DISTANCE_DIGITS,
    PATH_DIGITS,
    PERCENT_DIGITS,
    volume_digits,
)

from TotalSegmentatorEngine.export.compare.comparison import ComparisonRow
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file

CSV_COLUMNS: dict[str, Callable[[ComparisonRow], str | float | None]] = dict(
    zip(
        COLUMNS,
        (
            lambda row: row.ours,
            lambda row: row.theirs,
            lambda row: row.dice,
            lambda row: row.hausdorff95_mm,
            lambda row: row.mean_distance_mm,
            lambda row: row.our_ml,
            lambda row: row.their_ml,
            lambda row: row.difference_ml,
            lambda row: row.difference_percent,
            lambda row: row.surface_dice,
            lambda row: row.added_path_mm,
        ),
        strict=True,
    )
)
_CSV_DIGITS = 4
"""After the point: 0.1 mm³ of a volume, and more than any contour is exact."""

_HEADS = (
    "Ours",
    "Theirs",
    "Dice",
    "HD95 mm",
    "Mean mm",
    "sDice",
    "APL mm",
    "Ours ml",
    "Theirs ml",
    "Diff. ml",
    "Diff. %",
)
_NAMES = 2
_LONGEST_NAME = 32


def write_comparison(path: Path, rows: Sequence[ComparisonRow]) -> None:
    """One row per structure, a cell empty where there is no value, decimal points in every language; UTF-8.

    The file appears when it is complete. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    text = comparison_csv(rows).encode("utf-8")
    with atomic_file(path, len(text)) as stream:
        stream.write(text)


def comparison_csv(rows: Sequence[ComparisonRow]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")  # RFC 4180
    writer.writerow(CSV_COLUMNS)
    for row in rows:
        writer.writerow(_csv_cell(value_of(row)) for value_of in CSV_COLUMNS.values())
    return stream.getvalue()


def _csv_cell(value: str | float | None) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:.{_CSV_DIGITS}f}"


def comparison_page(rows: Sequence[ComparisonRow]) -> str:
    """For a terminal: a line per pair, a summary, and what only one side has. Ends without a line end."""
    paired = [row for row in rows if row.is_paired]
    paragraphs = [text_table(_HEADS, map(_cells, paired), right=_HEADS[_NAMES:]), _summary(paired)]
    for title, alone in (
        ("Only ours", [row.ours for row in rows if row.their_ml is None]),
        ("Only theirs", [row.theirs for row in rows if row.our_ml is None]),
    ):
        if alone:
            paragraphs.append("{} ({}): {}".format(title, len(alone), ", ".join(alone)))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _cells(row: ComparisonRow) -> list[str]:
    """Of a pair."""
    volumes = (row.our_ml or 0.0, row.their_ml or 0.0)
    millilitres = volume_digits(*volumes)
    return [
        _short(row.ours),
        _short(row.theirs),
        _number(row.dice, DICE_DIGITS),
        _number(row.hausdorff95_mm, DISTANCE_DIGITS),
        _number(row.mean_distance_mm, DISTANCE_DIGITS),
        _number(row.surface_dice, DICE_DIGITS),
        _number(row.added_path_mm, PATH_DIGITS),
        *(_number(volume, volume_digits(volume)) for volume in volumes),
        _number(row.difference_ml, millilitres, "+"),
        _number(row.difference_percent, PERCENT_DIGITS, "+"),
    ]


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 3] + "..."


def _number(value: float | None, digits: int, sign: str = "") -> str:
    return "-" if value is None else f"{value:{sign}.{digits}f}"


def _summary(rows: Sequence[ComparisonRow]) -> str:
    """Means over the pairs that have a value; a structure that one side lacks is in none of them."""
    scores = [row.dice for row in rows if row.dice is not None]
    distances = [row.hausdorff95_mm for row in rows if row.hausdorff95_mm is not None]
    if not scores:
        return ""
    said = "Structures compared: {}; Dice: mean {:.3f}, lowest {:.3f}".format(
        len(scores), statistics.fmean(scores), min(scores)
    )
    if distances:
        said += "; HD95: mean {:.1f} mm, highest {:.1f} mm".format(statistics.fmean(distances), max(distances))
    return said + "."
