"""The two ends of a tube, such as a piece of an artery or of the bowel."""

from __future__ import annotations

from itertools import product

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

NODE_MM = 4.0
"""The way along a tube is measured between blocks of voxels of about this size: narrower than the vessels."""
END_MM = 15.0
"""What lies this near to the furthest point, along the tube, is its end: about the diameter of the larger ones."""


def tube_ends(mask: np.ndarray, spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The voxels at both ends of a connected tube, [n, 3] each: indices into ``mask``, bool with at least one voxel;
    ``spacing``: mm along its axes. The ends are the two points that are furthest apart on the way through the tube."""
    blocks = np.maximum(1, (NODE_MM // spacing).astype(int))
    coarse = _blocks(mask, blocks)
    nodes = np.argwhere(coarse)
    ways = _ways(coarse, nodes, blocks * spacing)
    first = int(np.argmax(dijkstra(ways, directed=False, indices=0)))
    from_first = dijkstra(ways, directed=False, indices=first)
    last = int(np.argmax(from_first))
    from_last = dijkstra(ways, directed=False, indices=last)
    return tuple(_voxels(mask, coarse.shape, nodes[way <= END_MM], blocks) for way in (from_first, from_last))


def _blocks(mask: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """bool: the blocks that hold a voxel."""
    padded = np.pad(mask, [(0, -size % block) for size, block in zip(mask.shape, blocks, strict=True)])
    pairs = [(size // block, block) for size, block in zip(padded.shape, blocks, strict=True)]
    return padded.reshape([length for pair in pairs for length in pair]).any(axis=(1, 3, 5))


def _ways(coarse: np.ndarray, nodes: np.ndarray, spacing: np.ndarray) -> coo_array:
    """The distances in mm of touching blocks, by the numbers of the nodes; each pair once."""
    numbers = np.full([size + 2 for size in coarse.shape], -1)
    numbers[tuple((nodes + 1).T)] = np.arange(len(nodes))
    rows, columns, lengths = [], [], []
    for step in product((-1, 0, 1), repeat=3):
        if step > (0, 0, 0):
            beside = numbers[tuple((nodes + 1 + step).T)]
            found = np.flatnonzero(beside >= 0)
            rows.append(found)
            columns.append(beside[found])
            lengths.append(np.full(len(found), np.linalg.norm(step * spacing)))
    entries = (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns)))
    return coo_array(entries, shape=(len(nodes), len(nodes))).tocsr()


def _voxels(mask: np.ndarray, shape: tuple[int, ...], nodes: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """The voxels of ``mask`` in these blocks."""
    chosen = np.zeros(shape, bool)
    chosen[tuple(nodes.T)] = True
    low, high = nodes.min(axis=0), nodes.max(axis=0) + 1
    box = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    fine = chosen[box]
    for axis, block in enumerate(blocks):
        fine = fine.repeat(block, axis=axis)
    start = low * blocks
    part = mask[tuple(slice(first, first + size) for first, size in zip(start, fine.shape, strict=True))]
    return np.argwhere(part & fine[tuple(slice(0, size) for size in part.shape)]) + start
