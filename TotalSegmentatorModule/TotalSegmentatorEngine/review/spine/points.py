"""Where the voxels of a structure lie, in mm, thinned out."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings, Piece


def points_of(findings: Findings, finding: Finding, step_mm: float, piece: Piece | None = None) -> np.ndarray:
    """RAS (n, 3) in mm of the structure's voxels on a grid of about ``step_mm``, never finer than the voxels; of
    ``piece`` alone, where it is given.

    A structure of which no voxel lies on the thinner grid gives all its voxels. Taken once for the same voxels.
    """
    number = None if piece is None else piece.number
    return finding.once(("points", step_mm, number), lambda: _points(findings, finding, step_mm, number))


def tree_of(findings: Findings, finding: Finding, step_mm: float) -> cKDTree:
    """Of ``points_of``, made once for the same voxels."""
    return finding.once(("tree", step_mm), lambda: cKDTree(points_of(findings, finding, step_mm)))


def _points(findings: Findings, finding: Finding, step_mm: float, number: int | None) -> np.ndarray:
    strides = [max(1, int(step_mm / spacing)) for spacing in findings.spacing]
    mask = None if number is None else finding.numbered_pieces == number
    thinned = np.argwhere(_thinned(finding, mask, strides)) * strides
    indices = thinned if len(thinned) else np.argwhere(_thinned(finding, mask, [1, 1, 1]))
    ijk = (indices + [part.start for part in finding.box])[:, ::-1]
    matrix = findings.geometry.ijk_to_ras
    return ijk @ matrix[:3, :3].T + matrix[:3, 3]


def _thinned(finding: Finding, mask: np.ndarray | None, strides: list[int]) -> np.ndarray:
    steps = tuple(slice(None, None, stride) for stride in strides)
    return finding.thinned(steps) if mask is None else mask[steps]
