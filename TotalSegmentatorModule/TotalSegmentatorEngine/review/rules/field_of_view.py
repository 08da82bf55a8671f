"""Structures that the scan cuts: no fault of the segmentation, and no action needed."""

from __future__ import annotations

from collections.abc import Iterator

import cc3d
import numpy as np
from TotalSegmentatorWire.messages.review import Flag, Level

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings


def cut_by_scan(findings: Findings) -> Iterator[Flag]:
    for finding in findings.asked:
        if finding.is_cut:
            numbers = {"sides": ", ".join(finding.sides)}
            yield Flag("cut_by_scan", Level.CUT, finding.name, (), _place(findings, finding), numbers)


def _place(findings: Findings, finding: Finding) -> tuple[float, float, float]:
    """The voxel in the middle of the largest face at which the scan cuts the structure."""
    voxels = max((_largest_part(face) + start for face, start in _faces(findings, finding)), key=len)
    middle = np.argmin(np.linalg.norm((voxels - voxels.mean(axis=0)) * findings.spacing, axis=1))
    return tuple(findings.ras(voxels[middle]))


def _faces(findings: Findings, finding: Finding) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """bool [S, A, R]: the voxels of a face, and the index in the grid at which the array starts."""
    mask = finding.mask
    start = np.array([part.start for part in finding.box])
    for axis, part in enumerate(finding.box):
        for index, is_border in ((0, part.start == 0), (-1, part.stop == findings.shape[axis])):
            if is_border:
                moved = np.eye(3, dtype=int)[axis] * (part.stop - 1 - part.start if index else 0)
                yield mask.take([index], axis=axis), start + moved
    view = findings.round_view
    if view is not None:
        face = mask & view.edge[finding.box[1:]]
        if face.any():
            yield face, start


def _largest_part(face: np.ndarray) -> np.ndarray:
    """[n, 3]: the indices of its voxels."""
    return np.argwhere(cc3d.largest_k(np.ascontiguousarray(face), k=1, connectivity=26))
