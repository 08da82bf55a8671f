"""The comparison of many pairs as data: one row for each structure of each pair, as CSV and as Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import BinaryIO

from TotalSegmentatorWire.messages.comparison import (
    ADDED_PATH,
    DICE,
    DIFFERENCE,
    DIFFERENCE_PERCENT,
    HAUSDORFF95,
    MEAN_DISTANCE,
    OUR_VOLUME,
    SURFACE_DICE,
    THEIR_VOLUME,
)

from TotalSegmentatorEngine.export.cohort.outcome import FAILED, Cohort, PairResult, StructureResult
from TotalSegmentatorEngine.export.compare.table import csv_cell

PAIR, STRUCTURE, STATUS, MODEL, PROBLEM = "pair", "structure", "status", "model", "problem"
PUBLISHED_DICE, TOLERANCE, CUT = "published_dice", "surface_dice_tolerance_mm", "cut_by_scan"
TEXT_COLUMNS = (PAIR, STRUCTURE, STATUS, MODEL, PROBLEM)
_MEASURES: dict[str, Callable[[StructureResult], float | None]] = {
    DICE: lambda result: result.row.dice,
    PUBLISHED_DICE: lambda result: result.published_dice,
    HAUSDORFF95: lambda result: result.row.hausdorff95_mm,
    MEAN_DISTANCE: lambda result: result.row.mean_distance_mm,
    SURFACE_DICE: lambda result: result.row.surface_dice,
    ADDED_PATH: lambda result: result.row.added_path_mm,
    OUR_VOLUME: lambda result: result.row.our_ml,
    THEIR_VOLUME: lambda result: result.row.their_ml,
    DIFFERENCE: lambda result: result.row.difference_ml,
    DIFFERENCE_PERCENT: lambda result: result.row.difference_percent,
}
NUMBER_COLUMNS = (*_MEASURES, TOLERANCE)
COLUMNS = (PAIR, STRUCTURE, STATUS, *NUMBER_COLUMNS, CUT, MODEL, PROBLEM)

Row = dict[str, str | float | bool | None]


def rows_of(cohort: Cohort) -> list[Row]:
    """By COLUMNS; a pair that could not be compared has one row with its problem's code."""
    return [row for pair in cohort.pairs for row in _rows_of_pair(pair, cohort.tolerance_mm)]


def _rows_of_pair(pair: PairResult, tolerance_mm: float) -> list[Row]:
    empty: Row = dict.fromkeys(COLUMNS)
    own: Row = {PAIR: pair.label, MODEL: " ".join(sorted(pair.models)) or None}
    if pair.problem is not None:
        return [empty | own | {STATUS: FAILED, PROBLEM: pair.problem.code}]
    rows = []
    for result in pair.results:
        measures = {column: value_of(result) for column, value_of in _MEASURES.items()}
        said = {STRUCTURE: result.structure, STATUS: result.status, TOLERANCE: tolerance_mm, CUT: result.is_cut}
        rows.append(empty | own | said | measures)
    return rows


def csv_table(cohort: Cohort) -> bytes:
    """UTF-8, RFC 4180; a cell is empty where there is no value, and decimal signs are points in every language."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows_of(cohort):
        writer.writerow(_cell(row[column]) for column in COLUMNS)
    return stream.getvalue().encode("utf-8")


def _cell(value: str | float | bool | None) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else csv_cell(value)


def write_parquet(stream: BinaryIO, cohort: Cohort) -> None:
    """The same columns with their types; null where there is no value."""
    import pyarrow
    from pyarrow import parquet

    rows = rows_of(cohort)
    types = {column: pyarrow.string() for column in TEXT_COLUMNS} | {CUT: pyarrow.bool_()}
    schema = pyarrow.schema([(column, types.get(column, pyarrow.float64())) for column in COLUMNS])
    table = pyarrow.Table.from_pylist(rows, schema=schema)
    parquet.write_table(table, stream, compression="zstd")
