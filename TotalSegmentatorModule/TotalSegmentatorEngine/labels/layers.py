"""Puts the label maps of several models into few layers: structures that do not overlap share one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

LARGEST_LABEL = 255
"""Of a layer, which is uint8."""
_SLICES_AT_ONCE = 16

Box = tuple[slice, slice, slice]
"""Part of a grid, along k, j, i."""


@dataclass(frozen=True)
class Place:
    """Where a structure's voxels are."""

    layer: int
    label: int


class Layers:
    """uint8 arrays (k, j, i) of one grid, to which label maps are added one after the other.

    Each structure goes into the first layer in which it overlaps none and a label is left. It keeps its number there if
    nobody has it yet, so a single map becomes the only layer as it is.
    """

    def __init__(self, shape: Sequence[int], check_cancelled: Callable[[], None] = lambda: None) -> None:
        self._shape = tuple(shape)
        self._check_cancelled = check_cancelled
        self._used: list[set[int]] = []
        self.arrays: list[np.ndarray] = []

    def add(self, labels: np.ndarray, present: Collection[int], box: Box | None = None) -> dict[int, Place]:
        """The place of each of the labels ``present``, which are those that occur in ``labels``, 0 apart.

        ``labels``: uint8 (k, j, i) of ``box``, by default of the whole grid; outside of it the map is background. An
        array of the whole grid may become a layer itself. Raises what ``check_cancelled`` does.
        """
        left = set(present)
        if not self.arrays and box is None:
            self._check_cancelled()
            self.arrays.append(np.ascontiguousarray(labels))
            self._used.append(left)
            return {label: Place(0, label) for label in sorted(left)}
        box = box or tuple(slice(0, size) for size in self._shape)
        places: dict[int, Place] = {}
        number = 0
        while left:
            if number == len(self.arrays):
                self.arrays.append(np.zeros(self._shape, dtype=np.uint8))
                self._used.append(set())
            numbers = self._numbers(number, left, labels, box)
            self._write(self.arrays[number][box], labels, numbers)
            places.update({label: Place(number, own) for label, own in numbers.items()})
            self._used[number].update(numbers.values())
            left -= numbers.keys()
            number += 1
        return places

    def _numbers(self, number: int, left: set[int], labels: np.ndarray, box: Box) -> dict[int, int]:
        """The labels that go into this layer, and the numbers that they get there."""
        used = self._used[number]
        free = [label for label in range(1, LARGEST_LABEL + 1) if label not in used]
        if not free:
            return {}
        fitting = sorted(left - (self._overlapping(self.arrays[number][box], labels) if used else set()))
        fitting = sorted(fitting, key=lambda label: label in used)[: len(free)]
        kept = {label: label for label in fitting if label not in used}
        others = iter([label for label in free if label not in kept])
        return kept | {label: next(others) for label in fitting if label in used}

    def _overlapping(self, layer: np.ndarray, labels: np.ndarray) -> set[int]:
        """The labels of which a voxel lies on one that the layer has filled."""
        found = np.zeros(LARGEST_LABEL + 1, dtype=bool)
        for start in range(0, len(labels), _SLICES_AT_ONCE):
            self._check_cancelled()
            slab = labels[start : start + _SLICES_AT_ONCE]
            found[slab[layer[start : start + _SLICES_AT_ONCE] != 0]] = True
        return set(map(int, np.flatnonzero(found))) - {0}

    def _write(self, layer: np.ndarray, labels: np.ndarray, numbers: Mapping[int, int]) -> None:
        table = np.zeros(LARGEST_LABEL + 1, dtype=np.uint8)
        for label, own in numbers.items():
            table[label] = own
        if not numbers:
            return
        for start in range(0, len(labels), _SLICES_AT_ONCE):
            self._check_cancelled()
            renumbered = table[labels[start : start + _SLICES_AT_ONCE]]
            np.copyto(layer[start : start + _SLICES_AT_ONCE], renumbered, where=renumbered != 0)
