"""The volumes of structures over all CTs as SVG, in which each outlier leads to its CT."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.tables.review_rules import shown_name
from TotalSegmentatorWire.tables.usual_ranges import Range, volume_ranges

from TotalSegmentatorEngine.batch.report.contents import StructureVolumes
from TotalSegmentatorEngine.export.page.box_plots import POINT, PUBLISHED, draw_box, name_rows, style_rows
from TotalSegmentatorEngine.export.page.svg_plots import plot_figure, svg_element

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_WIDTH_INCHES, _ROW_INCHES, _HEAD_INCHES = 10.6, 0.19, 0.5
_NAME_INCHES, _MARGIN_INCHES = 2.1, 0.1
_DECADES = range(-3, 6)
_MOST_FOR_STEPS = 2.5
"""Decades up to which an axis has room for 1, 2 and 5 times the powers of ten."""
_MOST_POINTS = 60
"""Of a row: the furthest from the median. Those of 1,000 CTs are fewer."""
_RANGE_SHIFT = 0.38
"""Of a row, below its middle."""


def volume_plot(shown: Sequence[StructureVolumes]) -> str:
    """An <svg> element: a row for each structure from the top, volumes in ml on a logarithmic axis. All of ``shown``
    have a volume; points link to ``#ct-<id>``."""
    height = _HEAD_INCHES + len(shown) * _ROW_INCHES
    width = 1 - (_NAME_INCHES + _MARGIN_INCHES) / _WIDTH_INCHES
    with plot_figure(_WIDTH_INCHES, height) as figure:
        place = (_NAME_INCHES / _WIDTH_INCHES, 0.36 / height, width, 1 - 0.42 / height)
        axis = figure.add_axes(place)
        style_rows(axis)
        for row, each in enumerate(shown):
            _draw_range(axis, row, volume_ranges().get(each.name))
            _draw_row(axis, row, each)
        name_rows(axis, [shown_name(each.name) for each in shown])
        every = np.concatenate([each.logarithms for each in shown])
        low, high = float(every.min()) - 0.15, float(every.max()) + 0.15
        axis.set_xlim(low, high)
        ticks = _ticks(low, high)
        axis.set_xticks(np.log10(ticks), [f"{tick:,g} ml" for tick in ticks])
        return svg_element(figure)


def _ticks(low: float, high: float) -> list[float]:
    """In ml, between two powers of ten."""
    steps = (1, 2, 5) if high - low <= _MOST_FOR_STEPS else (1,)
    every = [step * 10.0**power for power in _DECADES for step in steps]
    return [tick for tick in every if low <= np.log10(tick) <= high]


def _draw_row(axis: Axes, row: int, each: StructureVolumes) -> None:
    values = each.logarithms.tolist()
    points = draw_box(axis, row, values)
    middle = float(np.median(values))
    points = sorted(points, key=lambda point: -abs(values[point] - middle))[:_MOST_POINTS]
    if points:
        drawn = axis.scatter([values[point] for point in points], [row] * len(points), s=9, color=POINT, alpha=0.75,
                             linewidths=0, zorder=3)  # fmt: skip
        drawn.set_urls([f"#ct-{each.ids[point]}" for point in points])


def _draw_range(axis: Axes, row: int, usual: Range | None) -> None:
    """The published range of adults, as a line below the box; an open end has no cap."""
    if usual is None:
        return
    ends = [end for end in (usual.low, usual.high) if end]
    y = row + _RANGE_SHIFT
    if len(ends) == 2:
        axis.plot(np.log10(ends), [y, y], color=PUBLISHED, linewidth=0.9, zorder=2)
    axis.plot(np.log10(ends), [y] * len(ends), "|", color=PUBLISHED, markersize=4, markeredgewidth=0.9, zorder=2)
