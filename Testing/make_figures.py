"""Writes the benchmarks' figures into README and docs: ``python Testing/make_figures.py``.

A quoted figure stands between two comments, ``<!-- BENCHMARK; NAME; FORMAT -->0.31 ×<!-- end -->``: a figure of
Testing/benchmarks/results/BENCHMARK.json, and how it is written. In FORMAT, 0.00 stands for the number with as many
digits after the point, and %, if there is one, for hundredths. A test compares the committed pages with what this
makes.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(REPOSITORY / "Testing"), str(REPOSITORY / "TotalSegmentatorModule")]

from benchmarks.measuring.result_files import read_results  # noqa: E402 - found through the line above

Results = dict[str, dict[str, Any]]

_QUOTED = re.compile(r"(<!-- ([\w.-]+); ([^;]+); ([^;]+?) -->)(.*?)(<!-- end -->)", re.DOTALL)
_ORIGINS = re.compile(r"(<!-- where the figures were measured -->\n)(.*?)(<!-- end -->)", re.DOTALL)
_NUMBER = re.compile(r"0(?:\.(0+))?")


class UnknownFigureError(Exception):
    """A page quotes a figure that no file has; the message names it."""


def pages() -> list[Path]:
    return [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]


def with_figures(text: str, results: Results) -> str:
    """``text`` with every quoted figure as ``results`` have it. Raises UnknownFigureError."""

    def written(match: re.Match[str]) -> str:
        before, benchmark, name, pattern, _, after = match.groups()
        try:
            value = results[benchmark]["figures"][name]["value"]
        except KeyError as error:
            raise UnknownFigureError("{}: {}".format(benchmark, name)) from error
        return before + formatted(value, pattern) + after

    text = _QUOTED.sub(written, text)
    return _ORIGINS.sub(lambda match: match[1] + origins_table(results) + match[3], text)


def formatted(value: float, pattern: str) -> str:
    """``value`` as in ``pattern``: 0.31 as "0.00 ×" is "0.31 ×", 0.9998 as "0.00 %" is "99.98 %"."""
    digits = len(_NUMBER.search(pattern)[1] or "")
    number = "{:.{}f}".format(100 * value if "%" in pattern else value, digits)
    return _NUMBER.sub(lambda _: number, pattern, count=1)


def origins_table(results: Results) -> str:
    """A table in Markdown: which benchmarks were run when and where. Those that share all of it share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for name, result in results.items():
        versions = ", ".join(f"{package} {version}" for package, version in sorted(result["versions"].items()))
        cores = "" if result["cores"] is None else "{} cores of ".format(result["cores"])
        origin = (result["date"], cores + result["processor"], str(result["repeat"] or ""), versions)
        rows.setdefault(tuple(cell or "not noted" for cell in origin), []).append(f"`{name}`")
    lines = ["| Benchmarks | Date | Processor | Measurements | Versions |", "|---|---|---|---|---|"]
    lines += ["| {} |".format(" | ".join([", ".join(names), *origin])) for origin, names in rows.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    results = read_results()
    for page in pages():
        text = page.read_text(encoding="utf-8")
        changed = with_figures(text, results)
        if changed != text:
            page.write_text(changed, encoding="utf-8")
            print("written: {}".format(page.relative_to(REPOSITORY)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
