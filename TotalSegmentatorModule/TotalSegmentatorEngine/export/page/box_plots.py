"""Rows of distributions: a box where there are enough values, and the points beyond it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POINT, PUBLISHED = "#1f4e79", "#b03a00"
"""Colours."""
FEWEST_FOR_BOX, _MOST_POINTS = 5, 25
"""A box says little about fewer values; of more values only those beyond the whiskers are drawn as points."""
_BOX, _LINE = "#c9d8e6", "#444444"
_WHISKER = 1.5


def style_rows(axis: Axes) -> None:
    """Lines for the values alone; the names at the left need no mark."""
    axis.grid(axis="x", color="#dddddd", linewidth=0.6)
    axis.set_axisbelow(True)
    axis.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axis.spines[side].set_visible(False)


def name_rows(axis: Axes, names: Sequence[str]) -> None:
    """From the top."""
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.set_yticks(range(len(names)), names)


def draw_box(axis: Axes, row: int, values: Sequence[float]) -> list[int]:
    """Draws the box, if there is one; returns which of ``values`` are to be drawn as points."""
    if len(values) >= FEWEST_FOR_BOX:
        line = {"color": _LINE, "linewidth": 0.8}
        axis.boxplot(
            values,
            orientation="horizontal",
            positions=[row],
            widths=0.62,
            whis=_WHISKER,
            patch_artist=True,
            showfliers=False,
            manage_ticks=False,
            boxprops={"facecolor": _BOX, "edgecolor": _LINE, "linewidth": 0.8},
            medianprops={"color": "black", "linewidth": 1.6},
            whiskerprops=line,
            capprops=line,
        )
    return beyond_whiskers(values) if len(values) > _MOST_POINTS else list(range(len(values)))


def beyond_whiskers(values: Sequence[float]) -> list[int]:
    """Which of ``values`` lie further than 1.5 times the box from it (Tukey); none of fewer than FEWEST_FOR_BOX."""
    if len(values) < FEWEST_FOR_BOX:
        return []
    low, high = np.percentile(values, [25, 75])
    reach = _WHISKER * (high - low)
    outside = (np.asarray(values) < low - reach) | (np.asarray(values) > high + reach)
    return np.flatnonzero(outside).tolist()
