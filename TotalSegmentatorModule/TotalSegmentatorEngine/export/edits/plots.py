"""The rate of changes over the months."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from TotalSegmentatorEngine.export.edits.table import EditRow
from TotalSegmentatorEngine.export.edits.trend import StructureTrend, rate_of
from TotalSegmentatorEngine.export.page.svg_plots import plot_figure, svg_element

_WIDTH_INCHES, _LINES_INCHES, _ROW_INCHES, _HEAD_INCHES = 10.6, 2.4, 0.2, 0.7
_MOST_MONTHS = 24
"""In which the cells have room for their numbers."""
_SIGNS = "osD^v<>p"


def rate_lines(rows: Sequence[EditRow], rising: Sequence[StructureTrend], months: Sequence[str]) -> str:
    """An <svg> element: all structures together, and each of the ``rising`` ones, in percent."""
    with plot_figure(_WIDTH_INCHES, _LINES_INCHES) as figure:
        axis = figure.add_axes((0.06, 0.26, 0.68, 0.68))
        places = range(len(months))
        together = [rate_of(row for row in rows if row.month == month).share for month in months]
        axis.plot(places, _percent(together), "-", color="black", linewidth=2.0, marker=".", label="all structures")
        for number, each in enumerate(rising[: len(_SIGNS)]):
            shares = [rate.share for rate in each.by_month(months)]
            axis.plot(
                places,
                _percent(shares),
                "--",
                marker=_SIGNS[number],
                markersize=4,
                linewidth=1.0,
                label=each.structure.replace("_", " "),
            )
        axis.set_xticks(places, months, rotation=0 if len(months) < 12 else 60)
        axis.set_ylim(0, 102)
        axis.set_ylabel("changed, %")
        axis.grid(axis="y", color="#dddddd", linewidth=0.6)
        axis.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False)
        return svg_element(figure)


def rate_map(shown: Sequence[StructureTrend], months: Sequence[str]) -> str:
    """An <svg> element: a row for each structure, a cell for each month, the darker the more was changed."""
    months = months[-_MOST_MONTHS:]
    rates = [each.by_month(months) for each in shown]
    shares = np.array([[np.nan if rate.share is None else 100 * rate.share for rate in row] for row in rates])
    height = _HEAD_INCHES + _ROW_INCHES * len(shown)
    with plot_figure(_WIDTH_INCHES, height) as figure:
        axis = figure.add_axes((0.17, 0.1 / height, 0.81, 1 - (_HEAD_INCHES - 0.05) / height))
        axis.pcolormesh(np.ma.masked_invalid(shares), cmap="Greys", vmin=0, vmax=130, edgecolors="white", linewidth=1)
        axis.invert_yaxis()
        for row, line in enumerate(rates):
            for column, rate in enumerate(line):
                if rate.judged:
                    axis.text(
                        column + 0.5,
                        row + 0.52,
                        f"{rate.changed}/{rate.judged}",
                        ha="center",
                        va="center",
                        fontsize=7,
                        color="white" if 100 * rate.share > 75 else "black",
                    )
        axis.set_yticks(np.arange(len(shown)) + 0.5, [each.structure.replace("_", " ") for each in shown])
        axis.set_xticks(np.arange(len(months)) + 0.5, months, rotation=0 if len(months) < 12 else 60)
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        for spine in axis.spines.values():
            spine.set_visible(False)
        return svg_element(figure)


def _percent(shares: Sequence[float | None]) -> list[float]:
    return [np.nan if share is None else 100 * share for share in shares]
