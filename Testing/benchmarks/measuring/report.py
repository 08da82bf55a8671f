"""How the benchmarks say what they measured: tables, and the lines that end them."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measuring.spent_time import Pairs

_JUDGES = {"<=": operator.le, ">=": operator.ge}
GB = 1e9


@dataclass
class Report:
    """Prints as it goes, but the ratios at the end of a benchmark (``close``), so that they are its closing lines.

    ``missed`` holds the lines of those that do not reach their target.
    """

    missed: list[str] = field(default_factory=list)
    figures: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Since the last ``close``, by name: "value", "unit", and what else is known of it, as results/*.json has them."""
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
        self._note(name, value, "ratio", {} if target is None else {"target": target, "judge": judge})

    def pairs(self, name: str, pairs: Pairs, target: float | None = None) -> None:
        """The median of the pairs' ratios as a ratio, and the same of the processors' time, which has no target; the
        ratio of each pair and their spread are said."""
        self.ratio(name, pairs.ratio, target)
        self._say_pairs(name, pairs.ratios)
        if pairs.user_ratios:
            of_processors = name + ", processor time"
            self.ratio(of_processors, statistics.median(pairs.user_ratios))
            self._say_pairs(of_processors, pairs.user_ratios)

    def figure(self, name: str, value: float, unit: str, values: Sequence[float] = ()) -> None:
        """``figure NAME = VALUE UNIT (no target)``. ``values``: the measurements whose median it is."""
        self._closing.append(f"figure {name} = {value:.3f} {unit} (no target)")
        self._note(name, value, unit, {})
        self._add_values(name, values)

    def judged_figure(self, name: str, values: Sequence[float], unit: str, target: float) -> None:
        """The median of ``values``: ``figure NAME = VALUE UNIT (target TARGET)``, at once."""
        value = statistics.median(values)
        line = "figure {} = {:.3f} {} (target {:g})".format(name, value, unit, target)
        print(line, flush=True)
        if value > target:
            self.missed.append(line)
        self._note(name, value, unit, {"target": target, "judge": "<="})
        self._add_values(name, values)

    def close(self) -> None:
        """Prints the ratios and figures since the last ``close``."""
        for line in self._closing:
            print(line, flush=True)
        self._closing.clear()
        self.figures.clear()

    def _say_pairs(self, name: str, ratios: Sequence[float]) -> None:
        each = " ".join("{:.3f}".format(ratio) for ratio in ratios)
        self.say("  {}: pairs {}; spread {:.3f} to {:.3f}".format(name, each, min(ratios), max(ratios)))
        self._add_values(name, ratios)

    def _note(self, name: str, value: float, unit: str, judged: dict[str, Any]) -> None:
        self.figures[name] = {"value": round(float(value), 6), "unit": unit, **judged}

    def _add_values(self, name: str, values: Sequence[float]) -> None:
        if len(values) > 1:
            self.figures[name]["values"] = [round(float(value), 6) for value in values]


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The median and, of several values, the smallest and the largest: "24.1 (23.9-25.0)"."""
    if len(values) == 1:
        return "{:.1f}".format(values[0])
    return "{:.1f} ({:.1f}-{:.1f})".format(median(values), min(values), max(values))


def _text(value: object) -> str:
    return "{:.2f}".format(value) if isinstance(value, float) else str(value)
