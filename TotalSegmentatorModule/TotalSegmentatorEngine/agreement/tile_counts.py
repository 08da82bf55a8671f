"""Counts how the exact and the approximate labels of a tile's cell agree."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BLOCK = 16
"""Voxels along the edge of a block: labels differ in patches on boundaries, which are smaller than that, so what one
block says is about independent of the next (of the cell's own level of agreement apart)."""


@dataclass(frozen=True, eq=False)
class CellCounts:
    """Of one cell, by block of BLOCK^3 voxels (the last ones of an axis are smaller)."""

    voxels: int
    different: np.ndarray
    """(blocks,) voxels whose labels differ; one of the two has a structure there."""
    foreground: np.ndarray
    """(blocks,) voxels where either has a structure."""
    approximate_foreground: int
    """Voxels of the whole cell where the approximate labels have one."""
    of_structures: Mapping[str, tuple[int, int]]
    """By name: voxels that either gives to the structure, and those of them where the labels differ."""


def compared(exact: np.ndarray, approximate: np.ndarray, names: Mapping[int, str]) -> CellCounts:
    """Both uint8, of one cell and in the same numbers; ``names``: of the labels that count, others are background."""
    known = np.zeros(256, dtype=np.uint8)
    known[list(names)] = list(names)
    exact, approximate = known[exact], known[approximate]
    differs = exact != approximate
    foreground = (exact | approximate) != 0
    ours = np.bincount(approximate.ravel(), minlength=256)
    ours_differ, theirs_differ = (np.bincount(labels[differs], minlength=256) for labels in (approximate, exact))
    structures = {}
    for label, name in names.items():
        different = int(ours_differ[label] + theirs_differ[label])
        either = int(ours[label] + theirs_differ[label])
        if either:
            structures[name] = (either, different)
    return CellCounts(
        voxels=exact.size,
        different=by_block(differs),
        foreground=by_block(foreground),
        approximate_foreground=int(np.count_nonzero(approximate)),
        of_structures=structures,
    )


def by_block(mask: np.ndarray) -> np.ndarray:
    """How many voxels of a bool array (z, y, x) are set, block by block."""
    starts = [range(0, size, BLOCK) for size in mask.shape]
    return np.array(
        [np.count_nonzero(mask[z : z + BLOCK, y : y + BLOCK, x : x + BLOCK]) for z, y, x in itertools.product(*starts)]
    )


def boundary_voxels(labels: np.ndarray) -> np.ndarray:
    """bool, of the shape of ``labels`` (z, y, x): voxels with a face at another label."""
    found = np.zeros(labels.shape, dtype=bool)
    for axis in range(3):
        first = tuple(slice(None, -1) if other == axis else slice(None) for other in range(3))
        second = tuple(slice(1, None) if other == axis else slice(None) for other in range(3))
        edge = labels[first] != labels[second]
        found[first] |= edge
        found[second] |= edge
    return found
