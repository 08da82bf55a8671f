"""Structures in more pieces than they may have: stray islands, organs in large parts, tubes with a gap.

Pieces that the scan cuts may be joined outside it: the two limbs of the aortic arch at the upper end of a scan. They
count as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import cKDTree
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings, Piece
from TotalSegmentatorEngine.review.measures.piece_table import PieceLimits, piece_limits
from TotalSegmentatorEngine.review.measures.tube_ends import tube_ends

Group = tuple[Piece, ...]
"""Pieces that the scan's border may join; the largest first."""


def pieces(findings: Findings) -> Iterator[Flag]:
    for finding in findings.asked:
        limits = piece_limits().get(finding.name)
        if limits is None or len(finding.pieces) < 2:
            continue
        groups = _groups(finding.pieces)
        apart = [group for group in groups[1:] if _volume(group) >= limits.stray_ml]
        if apart:
            yield from _flags(findings, finding, groups, apart, limits)


def _flags(
    findings: Findings, finding: Finding, groups: list[Group], apart: list[Group], limits: PieceLimits
) -> Iterator[Flag]:
    numbers = finding.numbered_pieces
    if limits.tube_level:
        parts = [group for group in apart if _volume(group) >= threshold("tube_piece_share") * finding.volume_ml]
        gaps = [(group, *_gap(findings, finding, numbers, group, groups)) for group in parts]
        for group, length, place in gaps:
            if length <= threshold("longest_tube_gap_mm"):
                evidence = {"gap_mm": rounded(length), "volume_ml": rounded(_volume(group))}
                yield Flag("tube_gap", limits.tube_level, finding.name, (), place, evidence)
                apart.remove(group)
    large = [group for group in apart if _volume(group) >= threshold("large_piece_share") * finding.volume_ml]
    stray = [group for group in apart if group not in large and _is_far(findings, finding, numbers, group)]
    if limits.pieces is None or 1 + len(large) + len(stray) <= limits.pieces:
        return
    for rule, some in (("divided", large), ("islands", stray)):
        if some:
            evidence = {
                "pieces": 1 + len(some),
                "expected": limits.pieces,
                "volume_ml": rounded(sum(_volume(group) for group in some)),
            }
            yield Flag(rule, Level.CHECK, finding.name, (), tuple(some[0][0].centre_ras_mm), evidence)


def _groups(pieces: Sequence[Piece]) -> list[Group]:
    """The largest first. What the scan cuts at its upper end is not joined to what it cuts at its lower end."""
    at_sides = {piece.sides for piece in pieces if piece.sides}
    are_apart = at_sides == {("head",), ("feet",)}  # a piece that also ends elsewhere may join both
    groups: dict[object, list[Piece]] = {}
    for piece in pieces:
        joined = (piece.sides if are_apart else "cut") if piece.sides else piece.number
        groups.setdefault(joined, []).append(piece)
    ordered = [tuple(sorted(group, key=lambda piece: -piece.voxels)) for group in groups.values()]
    return sorted(ordered, key=_volume, reverse=True)


def _volume(group: Group) -> float:
    return sum(piece.volume_ml for piece in group)


def _is_far(findings: Findings, finding: Finding, numbers: np.ndarray, group: Group) -> bool:
    """Whether nothing else of the structure lies near the group's largest piece."""
    reach = np.ceil(threshold("stray_mm") / findings.spacing).astype(int)
    box = tuple(
        slice(max(0, part.start - whole.start - steps), part.stop - whole.start + steps)
        for part, whole, steps in zip(group[0].box, finding.box, reach, strict=True)
    )
    near = numbers[box]
    own = np.isin(near, [piece.number for piece in group])
    others = (near > 0) & ~own
    if not others.any():
        return True
    limit = np.nextafter(threshold("stray_mm"), np.inf)  # what lies beyond it is not looked for
    tree = cKDTree(_surface(others) * findings.spacing)
    distances, _ = tree.query(_surface(own) * findings.spacing, distance_upper_bound=limit)
    return not np.isfinite(distances).any()


def _surface(mask: np.ndarray) -> np.ndarray:
    """The voxels, [n, 3], that have a face at which the mask or the image ends: from outside, no other is nearest."""
    inside = np.zeros_like(mask)
    core = inside[1:-1, 1:-1, 1:-1]
    core[:] = mask[1:-1, 1:-1, 1:-1]
    for axis in range(3):
        for neighbour in (slice(None, -2), slice(2, None)):
            steps = [slice(1, -1)] * 3
            steps[axis] = neighbour
            core &= mask[tuple(steps)]
    return np.argwhere(mask & ~inside)


def _gap(
    findings: Findings, finding: Finding, numbers: np.ndarray, group: Group, groups: list[Group]
) -> tuple[float, tuple[float, float, float]]:
    """The shortest way, in mm, from an end of ``group`` to an end of another group, and its middle."""
    own = [end for piece in group for end in _ends(findings, finding, numbers, piece)]
    rest = [piece for other in groups if other is not group for piece in other]
    others = [end for piece in rest for end in _ends(findings, finding, numbers, piece)]
    ways = []
    for first in own:
        tree = cKDTree(first * findings.spacing)
        for second in others:
            ways.append((float(tree.query(second * findings.spacing)[0].min()), first, second))
    length, *facing = min(ways, key=lambda way: way[0])
    reach = length + threshold("stray_mm")
    faces = [_near(end, other, reach, findings.spacing) for end, other in (facing, reversed(facing))]
    return length, tuple(findings.ras(np.mean(faces, axis=0)))


def _near(end: np.ndarray, other: np.ndarray, reach_mm: float, spacing: np.ndarray) -> np.ndarray:
    """The middle of those voxels of an end that lie this close to the other one."""
    distances, _ = cKDTree(other * spacing).query(end * spacing)
    return end[distances <= reach_mm].mean(axis=0)


def _ends(findings: Findings, finding: Finding, numbers: np.ndarray, piece: Piece) -> list[np.ndarray]:
    """The voxels, [n, 3] in the grid, of those ends of a piece that the scan does not cut; of both if it cuts both."""
    start = np.array([part.start for part in piece.box])
    offset = start - [part.start for part in finding.box]
    box = tuple(slice(first, first + part.stop - part.start) for first, part in zip(offset, piece.box, strict=True))
    ends = [end + start for end in tube_ends(numbers[box] == piece.number, findings.spacing)]
    return [end for end in ends if not findings.reaches_border(end)] or ends
