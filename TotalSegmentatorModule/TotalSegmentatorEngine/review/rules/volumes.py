"""Volumes that no body has, paired structures of unlike size, lobes with an unlikely share of the lungs.

Only for structures that the scan does not cut, and whose partners it does not cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.review_thresholds import threshold
from TotalSegmentatorWire.tables.structure_rows import checked_rows, known_names, names_of
from TotalSegmentatorWire.tables.usual_ranges import Range, volume_ranges

from TotalSegmentatorEngine.review.measures.body_frame import BodyFrame
from TotalSegmentatorEngine.review.measures.findings import Finding, Findings
from TotalSegmentatorEngine.review.measures.pair_table import pairs

_SAMPLE_MM = 3.0
"""Voxels of a pair are compared about as densely."""


def volume(findings: Findings) -> Iterator[Flag]:
    ranges = volume_ranges()
    for finding in findings.asked:
        if finding.name in ranges and not finding.is_cut:
            usual = ranges[finding.name].widened(threshold("volume_margin"))
            if not usual.holds(finding.volume_ml):
                numbers = {"volume_ml": rounded(finding.volume_ml, 3), "usual_ml": usual.text()}
                yield Flag("volume", Level.CHECK, finding.name, (), findings.middle(finding), numbers)


def asymmetry(findings: Findings) -> Iterator[Flag]:
    """The smaller one is flagged: a missing part is the more frequent fault."""
    frame: BodyFrame | None = None
    for pair in pairs():
        if pair.asymmetry is None or any(name not in findings or findings[name].is_cut for name in pair.both):
            continue
        smaller, larger = sorted((findings[name] for name in pair.both), key=lambda each: each.voxels)
        ratio = (larger.volume_ml - smaller.volume_ml) / (larger.volume_ml + smaller.volume_ml)
        if ratio > pair.asymmetry and (findings.is_asked(smaller.name) or findings.is_asked(larger.name)):
            frame = frame or BodyFrame(findings)
            numbers = {
                "volume_ml": rounded(smaller.volume_ml),
                "other_ml": rounded(larger.volume_ml),
                "asymmetry": rounded(ratio),
                "usual": pair.asymmetry,
            }
            place = _lost_part(findings, smaller, larger, frame)
            yield Flag("asymmetry", Level.CHECK, smaller.name, (larger.name,), place, numbers)


def lung_share(findings: Findings) -> Iterator[Flag]:
    """The share of a lobe, or of the right lung, in all five lobes."""
    shares = _lung_shares()
    lobes = sorted({name for names in shares for name in names})
    if any(name not in findings or findings[name].is_cut for name in lobes):
        return
    total = sum(findings[name].volume_ml for name in lobes)
    for names, published in shares.items():
        usual = published.widened(threshold("volume_margin"))
        share = sum(findings[name].volume_ml for name in names) / total
        if not usual.holds(share) and findings.is_asked(names[0]):
            numbers = {"share": rounded(100 * share), "usual": Range(usual.low * 100, usual.high * 100).text(2)}
            yield Flag("lung_share", Level.CHECK, names[0], names[1:], findings.middle(findings[names[0]]), numbers)


@cache
def _lung_shares() -> dict[tuple[str, ...], Range]:
    """Raises ValueError, OSError where the table is damaged."""
    rows = checked_rows("lung_shares.csv", ("lobes", "low", "high"))
    return {tuple(names_of(row["lobes"], known_names())): Range(float(row["low"]), float(row["high"])) for row in rows}


def _lost_part(findings: Findings, smaller: Finding, larger: Finding, frame: BodyFrame) -> tuple[float, float, float]:
    """The middle of what the larger one, mirrored, has and the smaller one lacks; of the largest piece of that, as one
    may lie higher than the other and jut out at both ends."""
    if not frame.is_known_at(larger.centre_ras_mm[2]):
        return findings.middle(smaller)
    own, other = (findings.sampled_places(finding, _SAMPLE_MM) for finding in (smaller, larger))
    mirrored = frame.mirrored(other)
    misfit, _ = cKDTree(mirrored).query(own)
    distances, _ = cKDTree(own).query(mirrored)
    far = mirrored[distances > max(2 * _SAMPLE_MM, 1.5 * np.quantile(misfit, 0.9))]
    return tuple(_largest_cluster(far).mean(axis=0)) if len(far) else findings.middle(smaller)


def _largest_cluster(places: np.ndarray) -> np.ndarray:
    """Those of [n, 3] places, about _SAMPLE_MM apart, that hang together with most others."""
    tree = cKDTree(places)
    _count, numbers = connected_components(tree.sparse_distance_matrix(tree, 2 * _SAMPLE_MM), directed=False)
    return places[numbers == np.argmax(np.bincount(numbers))]
