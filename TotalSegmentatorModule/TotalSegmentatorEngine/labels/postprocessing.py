"""Cleans labels of small pieces that a network put away from the structure.

Both functions do what TotalSegmentator does in ``totalsegmentator/postprocessing.py`` (version 2.18.0):
``keep_largest_blob_multilabel`` and ``remove_small_blobs_multilabel``. Pieces are connected by faces, not by edges or
corners, and each label is looked at by itself.

Pieces are found as connected runs, a run being a stretch of one label along a row. There are few runs, so one pass
serves all labels, and it takes no longer where islands make the labels' bounding boxes large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def keep_largest_pieces(labels: np.ndarray) -> None:
    """Keeps of each label only its largest connected piece, in place; ``labels`` uint8 (z, y, x).

    Of equally large pieces the one that comes first in the array stays.
    """
    if labels.size == 0:
        return
    pieces = _find_pieces(labels)
    order = np.lexsort((pieces.first_runs, -pieces.sizes, pieces.labels))
    _labels, first_of_label = np.unique(pieces.labels[order], return_index=True)
    goes = np.ones(len(order), dtype=bool)
    goes[order[first_of_label]] = False
    _remove(labels, pieces, goes)


def remove_small_islands(labels: np.ndarray, smallest_mm3: float, voxel_mm3: float) -> None:
    """Removes connected pieces of a label up to the volume ``smallest_mm3``, in place; ``labels`` uint8 (z, y, x).

    As in TotalSegmentator a piece of exactly that volume goes, too. ``voxel_mm3`` is the volume of a voxel.
    """
    if labels.size == 0:
        return
    pieces = _find_pieces(labels)
    _remove(labels, pieces, pieces.sizes <= smallest_mm3 / voxel_mm3)


@dataclass(frozen=True, eq=False)
class _Pieces:
    """The connected pieces of a label array. Each run of background is a piece, too."""

    labels: np.ndarray
    """uint8, of each piece."""
    sizes: np.ndarray
    """int64, voxels of each piece."""
    first_runs: np.ndarray
    """The first run of each piece; runs are numbered in the order of the array."""
    of_runs: np.ndarray
    """The piece of each run."""
    run_lengths: list[np.ndarray]
    """For each slice the voxels of its runs; together they fill the slice."""


def _find_pieces(labels: np.ndarray) -> _Pieces:
    run_labels, run_lengths, links = [], [], []
    run_count, above, runs_above = 0, None, None
    for plane in labels:
        begins = np.ones(plane.shape, dtype=bool)
        begins[:, 1:] = plane[:, 1:] != plane[:, :-1]
        starts = np.flatnonzero(begins)
        lengths = np.diff(starts, append=plane.size).astype(np.int32)
        numbers = np.arange(run_count, run_count + len(starts), dtype=np.int32)
        runs = np.repeat(numbers, lengths).reshape(plane.shape)
        run_labels.append(plane[begins])
        run_lengths.append(lengths)
        run_count += len(starts)
        links.append(_links(plane[:-1], runs[:-1], plane[1:], runs[1:]))
        if above is not None:
            links.append(_links(above, runs_above, plane, runs))
        above, runs_above = plane, runs
    ends = np.concatenate(links, axis=1)
    graph = coo_array((np.ones(ends.shape[1], dtype=bool), (ends[0], ends[1])), shape=(run_count, run_count))
    _count, of_runs = connected_components(graph, directed=False)
    _pieces, first_runs = np.unique(of_runs, return_index=True)
    # the sums are of float64, exact up to 2**53 voxels
    sizes = np.bincount(of_runs, weights=np.concatenate(run_lengths)).astype(np.int64)
    return _Pieces(np.concatenate(run_labels)[first_runs], sizes, first_runs, of_runs, run_lengths)


def _links(first: np.ndarray, first_runs: np.ndarray, second: np.ndarray, second_runs: np.ndarray) -> np.ndarray:
    """int32 (2, n): pairs of runs that touch, of two neighbouring planes or sets of rows, each given by its labels and
    its voxels' runs."""
    touching = (first == second) & (first != 0)
    pairs = np.stack((first_runs[touching], second_runs[touching]))
    is_new = np.ones(pairs.shape[1], dtype=bool)
    is_new[1:] = (pairs[:, 1:] != pairs[:, :-1]).any(axis=0)
    return pairs[:, is_new]


def _remove(labels: np.ndarray, pieces: _Pieces, goes: np.ndarray) -> None:
    """Turns the pieces for which ``goes`` is true into background, in place."""
    runs_go = (goes & (pieces.labels != 0))[pieces.of_runs]
    begin = 0
    for plane, lengths in zip(labels, pieces.run_lengths, strict=True):
        here = runs_go[begin : begin + len(lengths)]
        begin += len(lengths)
        if here.any():
            plane[np.repeat(here, lengths).reshape(plane.shape)] = 0
