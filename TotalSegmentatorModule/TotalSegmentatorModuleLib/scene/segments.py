"""Which segments of a segmentation go out, and on which CT it was made."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import slicer
from TotalSegmentatorWire.choice.presets import read_presets
from TotalSegmentatorWire.resources import TEMPLATES_FOLDER
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.scene.review_tags import state_of

_EVERYTHING = "all"
"""The engine's template for everything, which is no choice beside "all structures"."""

_RADIOTHERAPY = "rt-"
"""How ids of presets begin whose structures a planning system gets."""


@dataclass(frozen=True)
class KnownTemplate:
    """A template of the product's own, as the panel offers it."""

    path: Path
    """Of its file; of a preset the id, which the engine takes as well."""
    title: str
    description: str


def known_templates() -> list[KnownTemplate]:
    """By their titles; presets for radiotherapy are templates, too. Only what the list shows is read here; the engine
    checks the rest."""
    templates = []
    for path in TEMPLATES_FOLDER.glob("*.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        if path.stem != _EVERYTHING:
            templates.append(KnownTemplate(path, content.get("title", path.stem), content.get("description", "")))
    presets = [preset for preset in read_presets().values() if preset.id.startswith(_RADIOTHERAPY)]
    templates += [KnownTemplate(Path(preset.id), preset.title, preset.description) for preset in presets]
    return sorted(templates, key=lambda template: template.title.casefold())


def template_of_preset(preset: str, segments: Collection[str]) -> str:
    """The id of ``preset``, if it is a template and all ``segments`` (ids) are among its structures; else empty."""
    known = read_presets().get(preset) if preset.startswith(_RADIOTHERAPY) else None
    return preset if known is not None and {*known.structures, *known.helpers}.issuperset(segments) else ""


def all_segments(node) -> tuple[str, ...]:
    """Ids of all segments of a vtkMRMLSegmentationNode, in their order."""
    segmentation = node.GetSegmentation()
    return tuple(segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments()))


def visible_segments(node) -> tuple[str, ...]:
    """Those whose eye is open; all of them where nothing was displayed yet."""
    display = node.GetDisplayNode()
    ids = all_segments(node)
    return ids if display is None else tuple(each for each in ids if display.GetSegmentVisibility(each))


def names_in_states(node, segment_ids: Sequence[str], states: Collection[ReviewState]) -> list[str]:
    """Names of those of the segments that are in one of these review states."""
    segments = [node.GetSegmentation().GetSegment(each) for each in segment_ids]
    return [segment.GetName() for segment in segments if state_of(segment) in states]


def reference_volume(node):
    """The volume on which the segmentation was made (vtkMRMLScalarVolumeNode), None where it is not known."""
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    volume = node.GetNodeReference(role)
    return volume if volume is not None and volume.IsA("vtkMRMLScalarVolumeNode") else None
