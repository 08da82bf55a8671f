"""The comparison of many pairs as data: one row for each structure of each pair, as CSV and as Parquet."""

from __future__ import annotations

from collections.abc import Callable

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
from TotalSegmentatorEngine.export.files.data_table import NUMBER, TEXT, YES_NO, Column, Value

PAIR, STRUCTURE, STATUS, MODEL, PROBLEM = "pair", "structure", "status", "model", "problem"
PUBLISHED_DICE, TOLERANCE, CUT = "published_dice", "surface_dice_tolerance_mm", "cut_by_scan"
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
COLUMNS = (
    *(Column(name, TEXT) for name in (PAIR, STRUCTURE, STATUS)),
    *(Column(name, NUMBER) for name in (*_MEASURES, TOLERANCE)),
    Column(CUT, YES_NO),
    *(Column(name, TEXT) for name in (MODEL, PROBLEM)),
)

Row = dict[str, Value]


def rows_of(cohort: Cohort) -> list[Row]:
    """By COLUMNS; a pair that could not be compared has one row with its problem's code."""
    return [row for pair in cohort.pairs for row in _rows_of_pair(pair, cohort.tolerance_mm)]


def _rows_of_pair(pair: PairResult, tolerance_mm: float) -> list[Row]:
    empty: Row = dict.fromkeys(column.name for column in COLUMNS)
    own: Row = {PAIR: pair.label, MODEL: " ".join(sorted(pair.models)) or None}
    if pair.problem is not None:
        return [empty | own | {STATUS: FAILED, PROBLEM: pair.problem.code}]
    rows = []
    for result in pair.results:
        measures = {column: value_of(result) for column, value_of in _MEASURES.items()}
        said = {STRUCTURE: result.structure, STATUS: result.status, TOLERANCE: tolerance_mm, CUT: result.is_cut}
        rows.append(empty | own | said | measures)
    return rows
