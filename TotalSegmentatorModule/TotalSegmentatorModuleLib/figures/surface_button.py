"""The button below the review that shows the structures in 3-D."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
from slicer.i18n import tr as _

from TotalSegmentatorModuleLib.figures.surface_building import (
    SurfaceBuilding,
    has_surfaces,
    hide_surfaces,
    segments_without_surface,
)
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.views.view_jump import fit_three_d_views

_TURN_SECONDS = 0.015
"""For so long steps are made before the application has its turn; the last one may take longer."""


@dataclass(frozen=True)
class _Place:
    """Where the button stands."""

    button: Any
    bar: Any
    is_for: Callable[[Any], bool]
    """Whether it speaks of this vtkMRMLSegmentationNode."""


@dataclass(frozen=True)
class _Making:
    """Surfaces that are being made."""

    building: SurfaceBuilding
    steps: Iterator[tuple[int, int]]


class SurfaceButton:
    """The button and the bar of ReviewFigures.ui, and copies of both elsewhere. ``is_one_chosen`` tells whether the 3-D
    views look at one structure; where they do not, they are turned to all of them."""

    def __init__(self, ui: Widgets, is_one_chosen: Callable[[], bool]) -> None:
        self._places = [_Place(ui.threeDButton, ui.threeDProgressBar, lambda _node: True)]
        self._is_one_chosen = is_one_chosen
        self._node = None
        self._first: tuple[str, ...] = ()
        self._makings: dict[Any, _Making] = {}
        """By vtkMRMLSegmentationNode: that of the button, and those whose surfaces are made again."""
        self._ticker = Ticker(self._tick)
        ui.threeDButton.connect("clicked(bool)", self.toggle)
        self._show()

    @property
    def is_busy(self) -> bool:
        """Whether the surfaces of the button's segmentation are being made."""
        return self._node in self._makings

    def show_also_in(self, button, bar, is_for: Callable[[Any], bool]) -> None:
        """A QPushButton and a QProgressBar that show the same while ``is_for`` holds for the segmentation. What a click
        on it does is the caller's."""
        self._places.append(_Place(button, bar, is_for))
        self._show()

    def show(self, node, first: Sequence[str]) -> None:
        """Offer the surfaces of ``node`` (vtkMRMLSegmentationNode or None); ``first``: ids of the segments that are
        made first, in their order."""
        if node is not self._node:
            self._cancel(self._node)
            self._node = node
        self._first = tuple(first)
        self._show()

    def scene_closing(self) -> None:
        self._ticker.stop()
        self._makings.clear()
        self._node = None

    def close(self) -> None:
        for node in list(self._makings):
            self._cancel(node)
        self._ticker.dispose()

    def make_again(self, node) -> None:
        """The surfaces of ``node`` (vtkMRMLSegmentationNode) are gone with its former segments: the 3-D views show it
        again, from where they look. The button stays with its own segmentation."""
        self._begin(node)
        self._show()

    def toggle(self, *_arguments) -> None:
        """Show the surfaces, hide them, or stop making them."""
        if self.is_busy:
            self._cancel(self._node)
        elif self._is_shown:
            hide_surfaces(self._node)
        else:
            if not self._is_one_chosen():
                fit_three_d_views(self._node)
            self._begin(self._node)
        self._show()

    def _begin(self, node) -> None:
        building = SurfaceBuilding(node, self._first if node is self._node else ())
        building.begin()
        self._makings[node] = _Making(building, building.steps())
        self._ticker.start()

    def _tick(self) -> int | None:
        node = self._node if self.is_busy else next(iter(self._makings), None)
        if node is None:
            return None
        making, started = self._makings[node], time.monotonic()
        try:
            while self._makings.get(node) is making and time.monotonic() - started < _TURN_SECONDS:
                progress = next(making.steps)
                if node is self._node:
                    self._show_progress(*progress)
        except StopIteration:
            if self._makings.get(node) is making:
                del self._makings[node]
            self._show()
        return 0 if self._makings else None

    def _show_progress(self, done: int, count: int) -> None:
        for place in self._places:
            place.bar.setMaximum(count)
            place.bar.setValue(done)

    def _cancel(self, node) -> None:
        making = self._makings.pop(node, None)
        if making is not None:
            making.building.cancel()

    @property
    def _is_shown(self) -> bool:
        display = self._node.GetDisplayNode() if self._node is not None else None
        return display is not None and has_surfaces(self._node) and not segments_without_surface(self._node)

    def _show(self) -> None:
        is_there = self._node is not None and bool(slicer.mrmlScene.IsNodePresent(self._node))
        for place in self._places:
            is_meant = place.is_for(self._node)
            place.bar.setVisible(is_meant and self.is_busy)
            if is_meant and self.is_busy:
                place.button.setText(_("Cancel 3D"))
            elif is_meant and is_there and self._is_shown:
                place.button.setText(_("Hide 3D"))
            else:
                place.button.setText(_("Show 3D"))
        has_segments = is_there and self._node.GetSegmentation().GetNumberOfSegments() > 0
        self._places[0].button.setEnabled(has_segments)
