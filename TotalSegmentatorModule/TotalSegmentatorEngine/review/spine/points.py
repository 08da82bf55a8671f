"""Where the voxels of a structure lie, in mm, thinned out."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings


def points_of(findings: Findings, finding: Finding, step_mm: float, mask: np.ndarray | None = None) -> np.ndarray:
    """RAS (n, 3) in mm of the structure's voxels on a grid of about ``step_mm``, never finer than the voxels.

    ``mask``: bool [S, A, R] of the structure's box; None: all of it. A structure of which no voxel lies on the thinner
    grid gives all its voxels.
    """
    strides = [max(1, int(step_mm / spacing)) for spacing in findings.spacing]
    thinned = np.argwhere(_thinned(finding, mask, strides)) * strides
    indices = thinned if len(thinned) else np.argwhere(_thinned(finding, mask, [1, 1, 1]))
    ijk = (indices + [part.start for part in finding.box])[:, ::-1]
    matrix = findings.geometry.ijk_to_ras
    return ijk @ matrix[:3, :3].T + matrix[:3, 3]


def _thinned(finding: Finding, mask: np.ndarray | None, strides: list[int]) -> np.ndarray:
    steps = tuple(slice(None, None, stride) for stride in strides)
    return finding.thinned(steps) if mask is None else mask[steps]
