"""Merges the labels of part networks into one label set, keeps the requested ones, and counts their voxels."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

import numpy as np
from scipy import ndimage
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import Structure

_SLICES_AT_ONCE = 16

Box = tuple[slice, slice, slice]

SlabCallback = Callable[[], None]
"""Called before each slab or plane; may raise to stop."""


def _nothing() -> None:
    pass


def merge_part(
    merged: np.ndarray,
    part: np.ndarray,
    labels: Mapping[int, int],
    on_slab: SlabCallback = _nothing,
    overwritten: Collection[int] | None = None,
) -> None:
    """Writes a part's labels into ``merged``, in place; both uint8 (z, y, x).

    ``labels`` maps a label of the part to one of the whole set. As published, every label of a later part overwrites
    those of earlier parts, and background never does. Where parts come in another order, ``overwritten`` are the labels
    of the earlier ones, and others stay.
    """
    table = _lookup(labels)
    gives_way = None if overwritten is None else _lookup(dict.fromkeys((0, *overwritten), 1)).astype(bool)
    for slices in _slabs(merged):
        on_slab()
        translated = table[part[slices]]
        wins = translated != 0
        if gives_way is not None:
            wins &= gives_way[merged[slices]]
        np.copyto(merged[slices], translated, where=wins)


def keep_only(labels: np.ndarray, wanted: Iterable[int], on_slab: SlabCallback = _nothing) -> None:
    """Turns every label that is not ``wanted`` into background, in place."""
    table = _lookup({label: label for label in wanted})
    for slices in _slabs(labels):
        on_slab()
        labels[slices] = table[labels[slices]]


def found_structures(
    labels: np.ndarray, structures: Iterable[Structure], on_slab: Callable[[float], None] = lambda share: None
) -> list[FoundStructure]:
    """Voxel count and extent of every structure that occurs in ``labels`` (k, j, i) uint8, in the given order.

    ``on_slab`` gets the done share 0..1 before each slab; it may raise to stop.
    """
    counts = np.zeros(256, dtype=np.int64)
    boxes: dict[int, Box] = {}
    for slices in _slabs(labels):
        on_slab(slices.start / len(labels))
        counts += np.bincount(labels[slices].ravel(), minlength=256)
        for label, box in enumerate(ndimage.find_objects(labels[slices]), start=1):
            if box is not None:
                boxes[label] = _with(boxes.get(label), box, slices.start)
    return [
        FoundStructure(structure.label, structure.name, int(counts[structure.label]), _extent(boxes[structure.label]))
        for structure in structures
        if counts[structure.label]
    ]


def _with(box: Box | None, part: Box, first_slice: int) -> Box:
    """``box`` extended by ``part``, which was found in a slab that begins at ``first_slice``."""
    own = (slice(part[0].start + first_slice, part[0].stop + first_slice), *part[1:])
    if box is None:
        return own
    return tuple(slice(min(one.start, two.start), max(one.stop, two.stop)) for one, two in zip(box, own, strict=True))


def _extent(box: Box) -> list[int]:
    """i_min, i_max, j_min, j_max, k_min, k_max, inclusive."""
    extent = []
    for part in reversed(box):
        extent += [int(part.start), int(part.stop) - 1]
    return extent


def _lookup(labels: Mapping[int, int]) -> np.ndarray:
    table = np.zeros(256, dtype=np.uint8)
    for label, wanted in labels.items():
        table[label] = wanted
    return table


def _slabs(array: np.ndarray) -> list[slice]:
    return [slice(start, start + _SLICES_AT_ONCE) for start in range(0, array.shape[0], _SLICES_AT_ONCE)]
