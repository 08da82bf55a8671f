"""Metal in a CT, and how much of each structure lies beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import distance_transform_edt
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Findings

_SAMPLE_MM = 2.0
"""Distances to metal are measured about as densely."""


@dataclass
class NearMetal:
    """What of a structure lies near metal."""

    voxels: int
    inside: int
    """Voxels of metal that bear the structure's label."""
    place_ras_mm: np.ndarray
    """The middle of the largest cluster of metal near it."""
    metal_voxels: int
    """Of that cluster."""


def metal_near(findings: Findings) -> dict[str, NearMetal]:
    """Of the structures that shall be judged, by name; near: ``metal_near_mm``. Empty without a CT."""
    found: dict[str, NearMetal] = {}
    for metal in _clusters(findings):
        place = findings.ras(metal.mean(axis=0))
        for name, (voxels, inside) in _near_cluster(findings, metal).items():
            seen = found.setdefault(name, NearMetal(0, 0, place, 0))
            seen.voxels += voxels
            seen.inside += inside
            if len(metal) > seen.metal_voxels:
                seen.place_ras_mm, seen.metal_voxels = place, len(metal)
    return found


def _clusters(findings: Findings) -> Iterator[np.ndarray]:
    """The voxels, [n, 3] of the grid, of clusters of metal so far apart that nothing is near two of them."""
    if not len(findings.scan.metal):
        return
    gaps = np.floor(2 * threshold("metal_near_mm") / findings.spacing)
    clusters = _split(findings.scan.metal, gaps)
    yield from (each for each in clusters if len(each) * findings.voxel_ml >= threshold("metal_ml"))


def _split(voxels: np.ndarray, gaps: np.ndarray) -> Iterator[np.ndarray]:
    """Where more than ``gaps`` positions along an axis are empty."""
    for axis, gap in enumerate(gaps):
        ordered = voxels[np.argsort(voxels[:, axis], kind="stable")]
        ends = np.flatnonzero(np.diff(ordered[:, axis]) > gap) + 1
        if len(ends):
            for part in np.split(ordered, ends):
                yield from _split(part, gaps)
            return
    yield voxels


def _near_cluster(findings: Findings, metal: np.ndarray) -> dict[str, tuple[int, int]]:
    """For each structure near the metal its voxels there, and those voxels of metal that bear its label."""
    reach = np.ceil(threshold("metal_near_mm") / findings.spacing).astype(int)
    low = np.maximum(metal.min(axis=0) - reach, 0)
    high = np.minimum(metal.max(axis=0) + reach + 1, findings.shape)
    steps = np.maximum(1, (_SAMPLE_MM // findings.spacing).astype(int))
    sampled = tuple(slice(first, last, step) for first, last, step in zip(low, high, steps, strict=True))
    dense = np.zeros(findings.layers[0][sampled].shape, bool)
    dense[tuple(((metal - low) // steps).T)] = True
    is_near = distance_transform_edt(~dense, sampling=findings.spacing * steps) <= threshold("metal_near_mm")
    found = {}
    for finding in findings.asked:
        meets = zip(finding.box, low, high, strict=True)
        if all(part.start < last and part.stop > first for part, first, last in meets):
            voxels = int((finding.within(findings.layers, sampled) & is_near).sum() * np.prod(steps))
            inside = int((findings.layers[finding.layer][tuple(metal.T)] == finding.label).sum())
            if voxels or inside:
                found[finding.name] = voxels, inside
    return found
