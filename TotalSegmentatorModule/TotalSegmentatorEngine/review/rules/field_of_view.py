"""Structures that the scan cuts: no fault of the segmentation, and no action needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from TotalSegmentatorWire.messages.review import Flag, Level

from TotalSegmentatorEngine.imaging.mask_pieces import largest_piece
from TotalSegmentatorEngine.review.measures.findings import Finding, Findings


def cut_by_scan(findings: Findings) -> Iterator[Flag]:
    for finding in findings.asked:
        if finding.is_cut:
            numbers = {"sides": ", ".join(finding.sides)}
            yield Flag("cut_by_scan", Level.CUT, finding.name, (), _place(findings, finding), numbers)


def _place(findings: Findings, finding: Finding) -> tuple[float, float, float]:
    """The voxel in the middle of the largest face at which the scan cuts the structure."""
    faces = _faces(findings, finding)
    voxels = max((np.argwhere(largest_piece(face)) + start for face, start in faces), key=len)
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
