"""Merges the labels of part networks into one label set, keeps the requested ones, and counts their voxels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import numpy as np
from scipy import ndimage
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import Structure

_SLICES_AT_ONCE = 16

SlabCallback = Callable[[], None]
"""Called before each slab or plane; may raise to stop."""


def _nothing() -> None:
    pass


def merge_part(
    merged: np.ndarray, part: np.ndarray, labels: Mapping[int, int], on_slab: SlabCallback = _nothing
) -> None:
    """Writes a part's labels into ``merged``, in place; both uint8 (z, y, x).

    ``labels`` maps a label of the part to one of the whole set. As published, every label of a later part overwrites
    those of earlier parts, and background never does.
    """
    table = _lookup(labels)
    for slices in _slabs(merged):
        on_slab()
        translated = table[part[slices]]
        np.copyto(merged[slices], translated, where=translated != 0)


def keep_only(labels: np.ndarray, wanted: Iterable[int], on_slab: SlabCallback = _nothing) -> None:
    """Turns every label that is not ``wanted`` into background, in place."""
    table = _lookup({label: label for label in wanted})
    for slices in _slabs(labels):
        on_slab()
        labels[slices] = table[labels[slices]]


def found_structures(
    labels: np.ndarray, structures: Iterable[Structure], on_slab: SlabCallback = _nothing
) -> list[FoundStructure]:
    """Voxel count and extent of every structure that occurs in ``labels`` (k, j, i) uint8, in the given order."""
    counts = np.zeros(256, dtype=np.int64)
    for slices in _slabs(labels):
        on_slab()
        counts += np.bincount(labels[slices].ravel(), minlength=256)
    on_slab()
    boxes = ndimage.find_objects(labels)
    return [
        FoundStructure(structure.label, structure.name, int(counts[structure.label]), _extent(boxes, structure.label))
        for structure in structures
        if counts[structure.label]
    ]


def _extent(boxes: list[tuple[slice, slice, slice] | None], label: int) -> list[int]:
    """i_min, i_max, j_min, j_max, k_min, k_max, inclusive."""
    rows, columns = boxes[label - 1], []
    for box in reversed(rows):
        columns += [int(box.start), int(box.stop) - 1]
    return columns


def _lookup(labels: Mapping[int, int]) -> np.ndarray:
    table = np.zeros(256, dtype=np.uint8)
    for label, wanted in labels.items():
        table[label] = wanted
    return table


def _slabs(array: np.ndarray) -> list[slice]:
    return [slice(start, start + _SLICES_AT_ONCE) for start in range(0, array.shape[0], _SLICES_AT_ONCE)]
