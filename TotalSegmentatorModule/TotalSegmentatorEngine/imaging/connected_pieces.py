"""The connected components of a label image, found a slab at a time: in one pass over a large image cc3d lets no other
thread run for seconds."""

from __future__ import annotations

from collections.abc import Callable

import cc3d
import numpy as np

FACES = 6
"""Connectivity: voxels that share a face, not those that share an edge or a corner."""
_FINDING_SHARE = 0.8
"""Of the time, before components of neighbouring slabs are joined."""
_PLANES_AT_ONCE = 32
"""A third of a second for 512 x 512 voxels a plane."""


def connected_pieces(
    labels: np.ndarray, on_slab: Callable[[float], None] = lambda share: None
) -> tuple[np.ndarray, int]:
    """The component of each voxel, uint32 (z, y, x), and how many there are. ``labels``: uint8 (z, y, x).

    A component has one label and is connected by faces. 0 is the background; the components are numbered from 1 in the
    order of their first voxels. ``on_slab`` gets the done share 0..1 before each slab; it may raise to stop.
    """
    numbers, count = np.empty(labels.shape, dtype=np.uint32), 0
    touching = []
    for first in range(0, len(labels), _PLANES_AT_ONCE):
        on_slab(_FINDING_SHARE * first / len(labels))
        slab = np.ascontiguousarray(labels[first : first + _PLANES_AT_ONCE])  # numbered in the order of the memory
        found, here = cc3d.connected_components(slab, connectivity=FACES, return_N=True)
        target = numbers[first : first + _PLANES_AT_ONCE]
        target[...] = found
        np.add(target, count, out=target, where=target != 0, casting="unsafe")
        if first:
            touching.append(_touching(labels[first - 1 : first + 1], numbers[first - 1 : first + 1]))
        count += here
    if sum(len(pairs) for pairs in touching) == 0:
        return numbers, count
    table, count = _joined(np.concatenate(touching), count)
    for first in range(0, len(labels), _PLANES_AT_ONCE):
        on_slab(_FINDING_SHARE + (1.0 - _FINDING_SHARE) * first / len(labels))
        target = numbers[first : first + _PLANES_AT_ONCE]
        target[...] = table[target]
    return numbers, count


def _touching(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Pairs (n, 2) of components of two planes that have the same label where they meet."""
    is_one = (labels[0] == labels[1]) & (labels[0] != 0)
    return np.unique(np.stack((numbers[0][is_one], numbers[1][is_one]), axis=1), axis=0)


def _joined(pairs: np.ndarray, count: int) -> tuple[np.ndarray, int]:
    """The new number of each of ``count`` components, that of the background first, and how many are left."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), dtype=bool)
    graph = coo_array((ones, (pairs[:, 0].astype(np.intp) - 1, pairs[:, 1].astype(np.intp) - 1)), (count, count))
    left, group = connected_components(graph, directed=False)
    _groups, first_of_group = np.unique(group, return_index=True)
    rank = np.empty(left, dtype=np.uint32)
    rank[np.argsort(first_of_group)] = np.arange(1, left + 1)
    return np.concatenate((np.zeros(1, np.uint32), rank[group])), int(left)
