"""The buttons of ReviewFigures.ui below the review."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from TotalSegmentatorModuleLib.figures.measurement_buttons import MeasurementButtons
from TotalSegmentatorModuleLib.figures.surface_button import SurfaceButton
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.review.table.rows import ReviewRow


class FiguresSection:
    """Shows the segmentation that is reviewed as a whole. ``is_one_chosen`` tells whether the views look at one of its
    structures."""

    def __init__(self, ui: Widgets, is_one_chosen: Callable[[], bool]) -> None:
        self._surfaces, self._measurements = SurfaceButton(ui, is_one_chosen), MeasurementButtons(ui)

    def show(self, node, rows: Sequence[ReviewRow]) -> None:
        """``node``: vtkMRMLSegmentationNode or None; ``rows``: all of it, those first that are to be seen first."""
        self._surfaces.show(node, [row.key for row in rows if row.has_segment])
        self._measurements.show(node, rows)

    def show_surfaces_also_in(self, button, bar, is_for: Callable[[Any], bool]) -> None:
        """As SurfaceButton.show_also_in."""
        self._surfaces.show_also_in(button, bar, is_for)

    def toggle_surfaces(self) -> None:
        self._surfaces.toggle()

    def make_surfaces_again(self, node) -> None:
        """``node`` (vtkMRMLSegmentationNode) had surfaces, and holds another result now."""
        self._surfaces.make_again(node)

    def scene_closing(self) -> None:
        self._surfaces.scene_closing()
        self._measurements.scene_closing()

    def close(self) -> None:
        self._surfaces.close()
        self._measurements.close()
