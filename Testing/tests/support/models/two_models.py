"""What a job of two models finds: their structures overlap, so that the result has two layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import structure_table

if TYPE_CHECKING:
    from TotalSegmentatorEngine.job.task import PreparedTask

FIRST, SECOND = "104-3mm", "117-3mm"
PROFILES = {FIRST: "totalsegmentator-1.5", SECOND: "totalsegmentator-2.18"}
PLACES = {
    # structure: layer, label there, model; the spleen and the left kidney have one label in two layers
    "spleen": (0, 1, FIRST),
    "liver": (0, 5, FIRST),
    "kidney_left": (1, 1, SECOND),
}
ABSENT = "gallbladder"
_BOXES = {
    # shares of the CT along k, j, i; the kidney lies half in the spleen, and a part of it far away
    "spleen": [((0.2, 0.7), (0.2, 0.7), (0.1, 0.4))],
    "liver": [((0.3, 0.9), (0.1, 0.8), (0.5, 0.9))],
    "kidney_left": [((0.4, 0.9), (0.4, 0.8), (0.2, 0.45)), ((0.05, 0.2), (0.1, 0.35), (0.7, 0.95))],
}


def masks_of(shape: tuple[int, int, int]) -> dict[str, np.ndarray]:
    """bool (k, j, i) by name."""
    masks = {name: np.zeros(shape, bool) for name in _BOXES}
    for name, boxes in _BOXES.items():
        for box in boxes:
            masks[name][tuple(slice(int(n * a), int(n * b)) for n, (a, b) in zip(shape, box, strict=True))] = True
    return masks


def layers_of(shape: tuple[int, int, int]) -> list[np.ndarray]:
    """uint8 (k, j, i)."""
    layers = [np.zeros(shape, np.uint8) for _layer in range(2)]
    for name, mask in masks_of(shape).items():
        layer, label, _model = PLACES[name]
        layers[layer][mask] = label
    return layers


def found_in(volume: Volume) -> list[FoundStructure]:
    """With digests and statistics."""
    found = []
    for name, mask in masks_of(volume.array.shape).items():
        layer, label, model = PLACES[name]
        k, j, i = np.nonzero(mask)
        extent = [int(end) for axis in (i, j, k) for end in (axis.min(), axis.max())]
        found.append(FoundStructure(label, name, len(k), extent, layer=layer, model=model))
    layers = layers_of(volume.array.shape)
    return with_statistics(with_digests(found, layers, volume.geometry), layers, volume)


def two_model_result(volume: Volume, is_reviewed: bool = True, **fields) -> SegmentationResult:
    """``fields``: of SegmentationResult."""
    tables = {FIRST: structure_table("structures_104"), SECOND: structure_table("structures_117")}
    wanted = {FIRST: ("spleen", ABSENT, "liver"), SECOND: ("kidney_left",)}
    structures = [row for model, table in tables.items() for row in table if row.name in wanted[model]]
    layers, found = layers_of(volume.array.shape), found_in(volume)
    flags = flags_of(layers, found, volume, [row.name for row in structures]) if is_reviewed else None
    how = {"device": "cpu", "seconds": 1.0, "flags": flags, **fields}
    return SegmentationResult(layers, structures, found, [ABSENT], [FIRST, SECOND], PROFILES, **how)


def flags_of(layers: list[np.ndarray], found: list[FoundStructure], volume: Volume, sought: list[str]) -> tuple:
    labelled = [LabelledStructure(each.name, each.layer, each.label) for each in found]
    return tuple(review(Findings(layers, labelled, volume.geometry, volume, sought)))


def replace_networks(monkeypatch, pipeline, prepare: Callable) -> list[Volume]:
    """``segment`` finds the structures of two models, whatever it is asked; lists the CTs."""
    seen: list[Volume] = []

    def segment(
        volume: Volume, prepared: PreparedTask, _cache: object, _reporter: object, on_preview: object = None
    ) -> SegmentationResult:
        seen.append(volume)
        return two_model_result(volume, prepared.task.is_reviewed, options=prepared.task.options)

    monkeypatch.setattr(pipeline, "prepare", prepare)
    monkeypatch.setattr(pipeline, "prefetch_weights", lambda *_: None)
    monkeypatch.setattr(pipeline, "segment", segment)
    return seen
