"""The pieces of a mask: voxels that share a face, an edge or a corner belong together."""

from __future__ import annotations

from dataclasses import dataclass

import cc3d
import numpy as np

Box = tuple[slice, slice, slice]

TOUCHING = 26
_SAMPLED = 1 << 16
"""Voxels by which the piece is found that is nearly all."""


def numbered_pieces(mask: np.ndarray) -> np.ndarray:
    """For each voxel of a three-dimensional mask the number of its piece, from 1; 0 outside.

    cc3d 4.1 reckons with too few pieces in some bool arrays of few voxels (1 x 1 x 3, 1 x 3 x 5), and stops; those of
    other types it numbers as they are.
    """
    return cc3d.connected_components(np.ascontiguousarray(mask, dtype=bool).view(np.uint8), connectivity=TOUCHING)


def largest_piece(mask: np.ndarray) -> np.ndarray:
    """The mask without its other pieces."""
    numbers = numbered_pieces(mask)
    counts = np.bincount(numbers.ravel())
    counts[0] = 0
    return numbers == np.argmax(counts) if counts.any() else np.zeros(mask.shape, bool)


@dataclass(frozen=True, eq=False)
class MeasuredPiece:
    """Of a mask."""

    number: int
    """As ``numbered_pieces`` gives it."""
    voxels: int
    box: Box
    """Its faces touch voxels."""
    centre: np.ndarray
    """An index, between voxels."""


def measured_pieces(numbers: np.ndarray, voxels: int, centre: np.ndarray, most: int) -> list[MeasuredPiece]:
    """The ``most`` largest pieces of a mask with several, in the order of their numbers. ``numbers``: as
    ``numbered_pieces`` gives them, of a box whose faces touch voxels; ``voxels`` and ``centre``: of the whole mask.

    Nearly all voxels of a structure are mostly one piece. Only the others are looked at one by one; that one is what
    they leave, which takes a quarter of the time that cc3d.statistics takes for all.
    """
    flat = numbers.reshape(-1)
    main = _piece_of_most(flat)
    others = np.flatnonzero((flat != 0) & (flat != main))
    others = others[np.argsort(flat[others], kind="stable")]
    places = np.stack(np.unravel_index(others, numbers.shape))
    found, starts, counts = np.unique(flat[others], return_index=True, return_counts=True)
    low, high = (limit.reduceat(places, starts, axis=1) for limit in (np.minimum, np.maximum))
    sums = np.add.reduceat(places, starts, axis=1)
    main_voxels = voxels - int(counts.sum())
    main_centre = (np.asarray(centre, float) * voxels - sums.sum(axis=1)) / main_voxels
    pieces = [MeasuredPiece(main, main_voxels, _box_of_main(numbers, main, low, high), main_centre)]
    for place in np.argsort(-counts, kind="stable")[:most]:
        box = tuple(slice(int(first), int(last) + 1) for first, last in zip(low[:, place], high[:, place], strict=True))
        pieces.append(MeasuredPiece(int(found[place]), int(counts[place]), box, sums[:, place] / counts[place]))
    largest = sorted(pieces, key=lambda piece: -piece.voxels)[:most]
    return sorted(largest, key=lambda piece: piece.number)


def _piece_of_most(flat: np.ndarray) -> int:
    """The number of the piece to which most voxels belong, or of another one, by a sample."""
    counts = np.bincount(flat[:: max(flat.size // _SAMPLED, 1)])
    return int(counts[1:].argmax()) + 1 if len(counts) > 1 else int(flat.max())


def _box_of_main(numbers: np.ndarray, main: int, low: np.ndarray, high: np.ndarray) -> Box:
    """The whole box, where no other piece (``low`` and ``high``: of their boxes) touches its faces."""
    sizes = np.array(numbers.shape)[:, None]
    if not (low == 0).any() and not (high == sizes - 1).any():
        return tuple(slice(0, size) for size in numbers.shape)
    mask = numbers == main
    spans = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    return tuple(slice(int(span[0]), int(span[-1]) + 1) for span in spans)
