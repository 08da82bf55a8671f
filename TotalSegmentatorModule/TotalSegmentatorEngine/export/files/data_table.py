"""Tables as data, for programs: the same rows as CSV and as Parquet, a block at a time, however many there are."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pyarrow import DataType

Value = str | float | int | bool | tuple[str, ...] | None
Row = Mapping[str, Value]

TEXT, TEXTS, NUMBER, WHOLE, YES_NO = "text", "texts", "number", "whole", "yes or no"
"""Kinds of columns; TEXTS: any number of words without a blank."""


@dataclass(frozen=True)
class Column:
    name: str
    kind: str = TEXT
    unit: str = ""
    description: str = ""
    """Unit and description stand in the schema of the Parquet file."""
    digits: int = 4
    """After the point, of NUMBER in CSV."""


class TableWriter:
    """Writes both files: CSV is UTF-8, RFC 4180, a cell is empty where there is no value, and decimal signs are points
    in every language; in Parquet the columns have types, and null where there is no value. To be used in ``with``."""

    def __init__(
        self, csv_stream: BinaryIO, parquet_stream: BinaryIO, columns: Sequence[Column], about: Mapping[str, str] = {}
    ) -> None:
        """``about``: what else the schema of the Parquet file says."""
        self._streams = csv_stream, parquet_stream
        self._columns = columns
        self._about = dict(about)
        self._open = ExitStack()

    def __enter__(self) -> TableWriter:
        import pyarrow
        from pyarrow import parquet

        csv_stream, parquet_stream = self._streams
        fields = [pyarrow.field(each.name, _arrow_type(each), metadata=_stated(each)) for each in self._columns]
        self._schema = pyarrow.schema(fields, metadata=self._about or None)
        self._parquet = self._open.enter_context(
            parquet.ParquetWriter(parquet_stream, self._schema, compression="zstd")
        )
        text = io.TextIOWrapper(csv_stream, encoding="utf-8", newline="", write_through=True)
        self._open.callback(text.detach)
        self._csv = csv.writer(text, lineterminator="\r\n")
        self._csv.writerow(each.name for each in self._columns)
        return self

    def write(self, rows: Sequence[Row]) -> None:
        """One block: a row group of the Parquet file. Each of ``rows`` has all columns."""
        import pyarrow

        for row in rows:
            self._csv.writerow(_CELLS[each.kind](row[each.name], each) for each in self._columns)
        arrays = [[row[each.name] for row in rows] for each in self._columns]
        typed = [pyarrow.array(values, field.type) for values, field in zip(arrays, self._schema, strict=True)]
        self._parquet.write_table(pyarrow.Table.from_arrays(typed, schema=self._schema))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


def _stated(column: Column) -> dict[str, str] | None:
    stated = {"unit": column.unit, "description": column.description}
    return {name: text for name, text in stated.items() if text} or None


def _arrow_type(column: Column) -> DataType:
    import pyarrow

    return {
        TEXT: pyarrow.string(),
        TEXTS: pyarrow.list_(pyarrow.string()),
        NUMBER: pyarrow.float64(),
        WHOLE: pyarrow.int64(),
        YES_NO: pyarrow.bool_(),
    }[column.kind]


_CELLS: dict[str, Callable[[Value, Column], str]] = {
    TEXT: lambda value, _: value or "",
    TEXTS: lambda value, _: " ".join(value or ()),
    NUMBER: lambda value, column: "" if value is None else f"{value:.{column.digits}f}",
    WHOLE: lambda value, _: "" if value is None else str(value),
    YES_NO: lambda value, _: "" if value is None else "yes" if value else "no",
}


def in_blocks(rows: Iterable[Sequence[Row]], fewest: int) -> Iterable[list[Row]]:
    """``rows`` joined to blocks of at least ``fewest``, except for the last."""
    block: list[Row] = []
    for some in rows:
        block += some
        if len(block) >= fewest:
            yield block
            block = []
    if block:
        yield block
