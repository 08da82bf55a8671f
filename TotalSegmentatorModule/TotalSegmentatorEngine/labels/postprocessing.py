"""Removes small connected components of a label, which a network put apart from the structure.

Both functions do what TotalSegmentator does in ``totalsegmentator/postprocessing.py`` (version 2.18.0):
``keep_largest_blob_multilabel`` and ``remove_small_blobs_multilabel``. Voxels are connected by faces, not by edges or
corners, and each label is processed by itself. ``on_plane`` gets the done share 0..1 again and again; it may raise to
stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.imaging.connected_pieces import connected_pieces

PlaneCallback = Callable[[float], None]

_FOUND_SHARE, _COUNTED_SHARE = 0.5, 0.9
"""Of the time: after the components are found, and after they are counted."""


def _nothing(_share: float) -> None:
    pass


def keep_largest_pieces(labels: np.ndarray, on_plane: PlaneCallback = _nothing) -> None:
    """Keeps of each label only its largest component, in place; ``labels`` uint8 (z, y, x).

    Of equally large components the one that comes first in the array stays.
    """
    if labels.size == 0:
        return
    pieces = _find_pieces(labels, on_plane)
    order = np.lexsort((-pieces.sizes, pieces.labels))  # stable: the first of equals comes first
    _labels, first_of_label = np.unique(pieces.labels[order], return_index=True)
    is_removed = np.ones(len(order), dtype=bool)
    is_removed[order[first_of_label]] = False
    _remove(labels, pieces, is_removed, on_plane)


def remove_small_islands(
    labels: np.ndarray, smallest_mm3: float, voxel_mm3: float, on_plane: PlaneCallback = _nothing
) -> None:
    """Removes components of a label up to the volume ``smallest_mm3``, in place; ``labels`` uint8 (z, y, x).

    As in TotalSegmentator a component of exactly that volume goes, too. ``voxel_mm3`` is the volume of a voxel.
    """
    if labels.size == 0:
        return
    pieces = _find_pieces(labels, on_plane)
    _remove(labels, pieces, pieces.sizes <= smallest_mm3 / voxel_mm3, on_plane)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The connected components of a label array; component 0 is the background."""

    numbers: np.ndarray
    """The component of each voxel (z, y, x)."""
    labels: np.ndarray
    """uint8, of each component."""
    sizes: np.ndarray
    """int64, voxels of each component; 0 for the background."""


def _find_pieces(labels: np.ndarray, on_plane: PlaneCallback) -> _Pieces:
    numbers, count = connected_pieces(labels, lambda share: on_plane(_FOUND_SHARE * share))
    piece_labels, sizes = np.zeros(count + 1, dtype=np.uint8), np.zeros(count + 1, dtype=np.int64)
    planes = zip(labels, numbers, strict=True)
    for place, (plane, plane_numbers) in enumerate(planes):  # a plane at a time: bincount makes int64 of them
        on_plane(_FOUND_SHARE + (_COUNTED_SHARE - _FOUND_SHARE) * place / len(labels))
        inside = plane != 0
        found = plane_numbers[inside]
        piece_labels[found] = plane[inside]
        sizes += np.bincount(found, minlength=count + 1)
    return _Pieces(numbers, piece_labels, sizes)


def _remove(labels: np.ndarray, pieces: _Pieces, is_removed: np.ndarray, on_plane: PlaneCallback) -> None:
    """Turns the components for which ``is_removed`` is true into background, in place."""
    for place, (plane, numbers) in enumerate(zip(labels, pieces.numbers, strict=True)):
        on_plane(_COUNTED_SHARE + (1.0 - _COUNTED_SHARE) * place / len(labels))
        plane[is_removed[numbers]] = 0
