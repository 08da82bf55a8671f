"""Where each label of a label image lies, found a plane at a time."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np

Box = tuple[slice, slice, slice]
"""k, j, i."""


def label_boxes(labels: np.ndarray) -> Generator[None, None, dict[int, Box]]:
    """Boxes around the voxels of all labels but 0 in ``labels`` (whole numbers, (k, j, i)); waits before each plane.

    A box may be wider than its label by whole rows, where the label goes on at the beginning of the next row.
    """
    ends: dict[int, list[int]] = {}
    for k, plane in enumerate(labels):
        yield
        for label, j0, j1, i0, i1 in _in_plane(plane):
            known = ends.get(label)
            if known is None:
                ends[label] = [k, k, j0, j1, i0, i1]
            else:
                known[1] = k
                known[2], known[3] = min(known[2], j0), max(known[3], j1)
                known[4], known[5] = min(known[4], i0), max(known[5], i1)
    return {
        label: (slice(k0, k1 + 1), slice(j0, j1 + 1), slice(i0, i1 + 1))
        for label, (k0, k1, j0, j1, i0, i1) in ends.items()
    }


def _in_plane(plane: np.ndarray) -> list[list[int]]:
    """Label, first and last row, first and last column of each label: by its runs, which are few."""
    width = plane.shape[1]
    flat = plane.reshape(-1)
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lasts = np.append(starts[1:], flat.size) - 1
    labels = flat[starts]
    inside = labels != 0
    if not inside.any():
        return []
    starts, lasts, labels = starts[inside], lasts[inside], labels[inside].astype(np.int64)
    order = np.argsort(labels, kind="stable")
    first = np.flatnonzero(np.concatenate([[True], np.diff(labels[order]) != 0]))
    (j0, i0), (j1, i1) = np.divmod(starts[order], width), np.divmod(lasts[order], width)
    goes_on = j1 > j0
    i0, i1 = np.where(goes_on, 0, i0), np.where(goes_on, width - 1, i1)
    rows = [labels[order][first], np.minimum.reduceat(j0, first), np.maximum.reduceat(j1, first)]
    rows += [np.minimum.reduceat(i0, first), np.maximum.reduceat(i1, first)]
    return np.transpose(rows).tolist()
