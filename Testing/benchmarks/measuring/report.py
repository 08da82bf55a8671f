"""How the benchmarks say what they measured: tables, and the lines that end them."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

_JUDGES = {"<=": operator.le, ">=": operator.ge}
GB = 1e9


@dataclass
class Report:
    """Prints as it goes, but the ratios at the end of a benchmark (``close``), so that they are its closing lines.

    ``missed`` holds the lines of those that do not reach their target.
    """

    missed: list[str] = field(default_factory=list)
    _closing: list[str] = field(default_factory=list)

    def say(self, text: str = "") -> None:
        print(text, flush=True)

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        cells = [list(map(_text, row)) for row in (heads, *rows)]
        widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
        for row in cells:
            first, *others = (
                cell.ljust(width) if n == 0 else cell.rjust(width)
                for n, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            print("  " + "  ".join([first, *others]), flush=True)

    def ratio(self, name: str, value: float, target: float | None = None, judge: str = "<=") -> None:
        """``ratio NAME = VALUE (target <= TARGET)``; without a target the value is only shown."""
        digits = 5 if judge == ">=" else 3
        if target is None:
            line = "ratio {} = {:.{}f} (no target)".format(name, value, digits)
        else:
            line = "ratio {} = {:.{}f} (target {} {:g})".format(name, value, digits, judge, target)
            if not _JUDGES[judge](value, target):
                self.missed.append(line)
        self._closing.append(line)

    def figure(self, name: str, value: float, unit: str) -> None:
        """``figure NAME = VALUE UNIT (no target)``."""
        self._closing.append(f"figure {name} = {value:.3f} {unit} (no target)")

    def close(self) -> None:
        """Prints the ratios and figures since the last ``close``."""
        for line in self._closing:
            print(line, flush=True)
        self._closing.clear()


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The median and, of several values, the smallest and the largest: "24.1 (23.9-25.0)"."""
    if len(values) == 1:
        return "{:.1f}".format(values[0])
    return "{:.1f} ({:.1f}-{:.1f})".format(median(values), min(values), max(values))


def _text(value: object) -> str:
    return "{:.2f}".format(value) if isinstance(value, float) else str(value)
