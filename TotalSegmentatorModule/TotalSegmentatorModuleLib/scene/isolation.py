"""Shows one segment alone, with its neighbours half transparent, and gives back what the user had set."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import slicer

from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.volumes import hierarchy_item
from TotalSegmentatorModuleLib.tags.segment_tags import read_json, write_json_attribute

_NEIGHBOUR_OPACITY = 0.4
"""Of a neighbour, as a part of its own opacity."""
_BEFORE_ATTRIBUTE = "TotalSegmentatorModule.DisplayBeforeReview"
"""Of the display node while a segment is alone: what to give back. A scene that is saved meanwhile has it, too."""


@dataclass(frozen=True)
class _Shown:
    """How a segment is displayed."""

    visible: bool
    opacity_3d: float
    opacity_fill: float
    opacity_outline: float

    @classmethod
    def read(cls, display, segment_id: str) -> _Shown:
        return cls(
            bool(display.GetSegmentVisibility(segment_id)),
            display.GetSegmentOpacity3D(segment_id),
            display.GetSegmentOpacity2DFill(segment_id),
            display.GetSegmentOpacity2DOutline(segment_id),
        )

    def write(self, display, segment_id: str) -> None:
        if self == _Shown.read(display, segment_id):
            return
        display.SetSegmentVisibility(segment_id, self.visible)
        display.SetSegmentOpacity3D(segment_id, self.opacity_3d)
        display.SetSegmentOpacity2DFill(segment_id, self.opacity_fill)
        display.SetSegmentOpacity2DOutline(segment_id, self.opacity_outline)

    def faded(self) -> _Shown:
        opacities = (self.opacity_3d, self.opacity_fill, self.opacity_outline)
        return _Shown(self.visible, *(opacity * _NEIGHBOUR_OPACITY for opacity in opacities))


class Isolation:
    """Of one segmentation at a time. ``end`` gives back the user's own settings; what the user changed while a segment
    was alone (an eye in the Data module) stays as it was changed."""

    def __init__(self) -> None:
        self._node = None
        self._display = None
        self._node_visible = True
        self._before: dict[str, _Shown] = {}
        self._applied: dict[str, _Shown] = {}

    @property
    def is_active(self) -> bool:
        return self._display is not None

    def show(self, node, segment_id: str, neighbours: Collection[str]) -> None:
        """Show ``segment_id`` of ``node`` (vtkMRMLSegmentationNode) alone with its ``neighbours``; ids."""
        display = node.GetDisplayNode()
        if display is None or display is not self._display:
            self.end()
        if display is None:
            return
        with told_once(display):
            for each in self._take_over(node, display):
                before = self._before[each]
                wanted = before.faded() if each in neighbours else _Shown(False, *_opacities(before))
                if each == segment_id:
                    wanted = _Shown(True, *_opacities(before))
                wanted.write(display, each)
                self._applied[each] = _Shown.read(display, each)
            display.SetVisibility(True)

    def end(self) -> None:
        """Give back what the user had set; nothing where no segment is alone, or its segmentation is gone."""
        node, self._node = self._node, None
        display, self._display = self._display, None
        before, applied = self._before, self._applied
        self._before, self._applied = {}, {}
        if display is None or node.GetDisplayNode() is not display or not hierarchy_item(node)[1]:
            return  # a segmentation that is leaving the scene: Slicer reports an error where its display still changes
        with told_once(display):
            segmentation = node.GetSegmentation()
            for each, shown in before.items():
                if segmentation.GetSegment(each) is not None and _Shown.read(display, each) == applied.get(each):
                    shown.write(display, each)
            if display.GetVisibility():
                display.SetVisibility(self._node_visible)
            write_json_attribute(display, _BEFORE_ATTRIBUTE, None)

    def _take_over(self, node, display) -> list[str]:
        """Remember the settings of segments that are new here; returns the ids of all that there are."""
        if self._display is None:
            restore_display(display)  # of an earlier session
            self._node, self._display, self._node_visible = node, display, bool(display.GetVisibility())
        segmentation = node.GetSegmentation()
        ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
        new = [each for each in ids if each not in self._before]
        self._before.update({each: _Shown.read(display, each) for each in new})
        if new:
            rows = {each: [shown.visible, *_opacities(shown)] for each, shown in self._before.items()}
            content = {"visible": self._node_visible, "segments": rows}
            write_json_attribute(display, _BEFORE_ATTRIBUTE, content)
        return ids


def _opacities(shown: _Shown) -> tuple[float, float, float]:
    return shown.opacity_3d, shown.opacity_fill, shown.opacity_outline


def restore_displays() -> None:
    """Give back the user's settings to segmentations that were saved while one of their segments was alone."""
    for display in slicer.util.getNodesByClass("vtkMRMLSegmentationDisplayNode"):
        restore_display(display)


def restore_display(display) -> None:
    """The same for one vtkMRMLSegmentationDisplayNode; nothing where it holds no such settings."""
    content = read_json(display.GetAttribute(_BEFORE_ATTRIBUTE))
    if content is None:
        return
    with told_once(display):
        node = display.GetDisplayableNode()
        segmentation = node.GetSegmentation() if node is not None else None
        for segment_id, (visible, *opacities) in content["segments"].items():
            if segmentation is not None and segmentation.GetSegment(segment_id) is not None:
                _Shown(bool(visible), *opacities).write(display, segment_id)
        display.SetVisibility(bool(content["visible"]))
        write_json_attribute(display, _BEFORE_ATTRIBUTE, None)
