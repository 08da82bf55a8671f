"""The distributions of a comparison of many pairs, as SVG that needs neither a script nor a font of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.export.cohort.summary import Distribution, StructureSummary
from TotalSegmentatorEngine.export.page.box_plots import POINT, PUBLISHED, draw_box, name_rows, style_rows
from TotalSegmentatorEngine.export.page.svg_plots import plot_figure, svg_element

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_ROW_INCHES, _HEAD_INCHES, _WIDTH_INCHES = 0.19, 0.62, 10.6
_NAME_SHARE = 0.15
"""Of the width."""


@dataclass(frozen=True)
class _Panel:
    title: str
    values: Callable[[StructureSummary], Distribution]
    scale: float = 1.0
    """From the measure's unit to that of the axis."""
    ends: tuple[float | None, float | None] = (None, None)
    """Of the axis; None to fit the values."""
    line: float | None = None
    """A value to compare with."""


def _panels(tolerance_mm: float) -> list[_Panel]:
    return [
        _Panel("Dice", lambda each: each.dice, ends=(None, 1.02)),
        _Panel(f"Surface Dice, {tolerance_mm:g} mm", lambda each: each.surface_dice, ends=(None, 1.02)),
        _Panel("HD95, mm", lambda each: each.hausdorff95_mm, ends=(0.0, None)),
        _Panel("Added path, cm", lambda each: each.added_path_mm, scale=0.1, ends=(0.0, None)),
        _Panel("Volume difference, %", lambda each: each.difference_percent, line=0.0),
    ]


def distribution_plot(shown: Sequence[StructureSummary], tolerance_mm: float) -> str:
    """An <svg> element: a row for each structure from the top, a panel for each measure. ``shown`` is not empty."""
    rows = len(shown)
    height = _HEAD_INCHES + rows * _ROW_INCHES
    with plot_figure(_WIDTH_INCHES, height) as figure:
        panels = _panels(tolerance_mm)
        axes = figure.subplots(1, len(panels), sharey=True)
        edges = {"bottom": 0.3 / height, "top": 1.0 - 0.3 / height}
        figure.subplots_adjust(left=_NAME_SHARE, right=0.99, wspace=0.1, **edges)
        for panel, axis in zip(panels, axes, strict=True):
            _draw(axis, panel, shown)
        _mark_published(axes[0], shown)
        name_rows(axes[0], [each.structure for each in shown])
        return svg_element(figure)


def _draw(axis: Axes, panel: _Panel, shown: Sequence[StructureSummary]) -> None:
    axis.set_title(panel.title, fontsize=9)
    style_rows(axis)
    if panel.line is not None:
        axis.axvline(panel.line, color="#777777", linewidth=0.8)
    for row, each in enumerate(shown):
        _draw_row(axis, row, [value * panel.scale for value in panel.values(each).values])
    low, high = panel.ends
    if low is not None or high is not None:
        axis.set_xlim(left=low, right=high)
    axis.locator_params(axis="x", nbins=4)


def _draw_row(axis: Axes, row: int, values: list[float]) -> None:
    points = [values[index] for index in draw_box(axis, row, values)]
    axis.plot(points, [row] * len(points), "o", color=POINT, markersize=2.6, alpha=0.75, markeredgewidth=0)


def _mark_published(axis: Axes, shown: Sequence[StructureSummary]) -> None:
    known = [(each.published_dice, row) for row, each in enumerate(shown) if each.published_dice is not None]
    if known:
        axis.plot(*zip(*known, strict=True), "D", color=PUBLISHED, markersize=3.6, fillstyle="none", linestyle="none")
