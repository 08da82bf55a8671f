"""How the user has made a segmentation look, to be given to the one that takes its place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from TotalSegmentatorModuleLib.scene.isolation import restore_display
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.segments import all_segments
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag, write_tag

_OF_DISPLAY = (
    "SegmentVisibility",
    "SegmentVisibility3D",
    "SegmentVisibility2DFill",
    "SegmentVisibility2DOutline",
    "SegmentOpacity3D",
    "SegmentOpacity2DFill",
    "SegmentOpacity2DOutline",
)
"""Properties of a vtkMRMLSegmentationDisplayNode for each segment."""
_TERMINOLOGY = "TerminologyEntry"
_CLOSED_SURFACE = "Closed surface"


@dataclass(frozen=True)
class _SegmentLook:
    name: str
    colour: tuple[float, ...]
    terminology: str
    shown: dict[str, Any] = field(default_factory=dict)
    """By the names of _OF_DISPLAY."""


@dataclass(frozen=True)
class Looks:
    """Of one segmentation: what of it is seen, and how. Names and colours are the user's where they differ from those
    that a fresh result would have."""

    is_visible: bool
    has_surfaces: bool
    """The 3-D views show it."""
    segments: dict[str, _SegmentLook]

    @classmethod
    def of(cls, node) -> Looks:
        """``node``: vtkMRMLSegmentationNode with a display node. Where the review shows one structure alone, the user's
        own settings are given back first."""
        restore_display(node.GetDisplayNode())
        segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
        segments = {}
        for segment_id in all_segments(node):
            segment = segmentation.GetSegment(segment_id)
            shown = {name: getattr(display, "Get" + name)(segment_id) for name in _OF_DISPLAY}
            colour, terminology = tuple(segment.GetColor()), read_tag(segment, _TERMINOLOGY)
            segments[segment_id] = _SegmentLook(segment.GetName(), colour, terminology, shown)
        has_surfaces = bool(segmentation.ContainsRepresentation(_CLOSED_SURFACE) and display.GetVisibility3D())
        return cls(bool(display.GetVisibility()), has_surfaces, segments)

    def give_to(self, node) -> None:
        """``node``: vtkMRMLSegmentationNode whose segments have the same ids where they are the same structures. Those
        that were not there are seen unless most were hidden: the user was looking at a few."""
        segmentation, display = node.GetSegmentation(), node.GetDisplayNode()
        hidden = sum(not look.shown["SegmentVisibility"] for look in self.segments.values())
        was = display.StartModify()
        try:
            with told_once(node):
                for segment_id in all_segments(node):
                    look = self.segments.get(segment_id)
                    if look is not None:
                        _dress(segmentation.GetSegment(segment_id), look)
                        _show(display, segment_id, look.shown)
                    elif 2 * hidden > len(self.segments):
                        display.SetSegmentVisibility(segment_id, False)
            display.SetVisibility(self.is_visible)
        finally:
            display.EndModify(was)


def _dress(segment, look: _SegmentLook) -> None:
    if segment.GetName() != look.name:
        segment.SetName(look.name)
    if tuple(segment.GetColor()) != look.colour:
        segment.SetColor(*look.colour)
    write_tag(segment, _TERMINOLOGY, look.terminology)


def _show(display, segment_id: str, shown: dict[str, Any]) -> None:
    for name, value in shown.items():
        if getattr(display, "Get" + name)(segment_id) != value:
            getattr(display, "Set" + name)(segment_id, value)
