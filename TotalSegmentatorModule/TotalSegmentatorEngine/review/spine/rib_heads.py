"""Where each rib begins: its head, the vertebra that it lies at, and how far along the spine that is.

The ribs of these models stop short of the spine, so a head is the part of a rib that lies nearest to any vertebra; they
need not touch. Ribs whose head lies outside the scan have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings, Piece
from TotalSegmentatorEngine.review.spine.bones import T1, Bone, Spine
from TotalSegmentatorEngine.review.spine.points import points_of

SIDES = ("left", "right")
RIB_NUMBERS = range(1, 13)
AT_THEIR_OWN = frozenset({1, 11, 12})
"""Ribs that join one vertebra, their own; the others also join the one above."""
_STEP_MM = 2.0
_REACH_MM = 80.0
"""Voxels of a rib further from the middle of any vertebra are no head: a vertebra with its processes reaches 50 mm, and
a head is sought within 25 mm of it."""
_HEAD_MM = 4.0
"""The head: voxels at most so much further from the vertebra than the nearest one."""
_SOME = 8
"""Every so many points of a rib give a first idea of its distance."""
_BESIDE = 3
"""Vertebrae above and below the nearest one that can be the next nearest."""


def rib_name(side: str, number: int) -> str:
    return f"rib_{side}_{number}"


@dataclass(frozen=True, eq=False)
class RibHead:
    finding: Finding
    piece: Piece
    side: str
    number: int
    place: np.ndarray
    """RAS in mm."""
    arc_mm: float
    """As of Bone."""
    bone: Bone
    """The nearest vertebra."""
    distance_mm: float
    next_distance_mm: float
    """Of the next nearest vertebra."""
    level: float | None
    """As the numbers of vertebrae, between those of the vertebrae near it: 15.0 beside the middle of the bone that
    bears the name T8, 14.5 half-way to T7; None where the vertebrae there have no distance."""

    @property
    def name(self) -> str:
        return self.finding.name

    @property
    def is_clear(self) -> bool:
        """Whether one vertebra is plainly the nearest. Heads that lie between two, as ribs 2 to 10 may, are not."""
        return self.next_distance_mm - self.distance_mm >= threshold("rib_clear_mm")

    @property
    def shift(self) -> int | None:
        """How much higher the number of its vertebra is than its own: 0 where both fit; None where that is not plain.

        The height tells it, as the nearest vertebra alone would not: ribs 2 to 10 fit to two of them. What both tell
        must not contradict each other."""
        if self.level is None:
            return None
        own = T1 - 1 + self.number
        above = threshold("head_above_own" if self.number in AT_THEIR_OWN else "head_above")
        off = self.level - (own - above)
        shift = 0 if abs(off) <= threshold("head_fits") else round(off)
        fits = {own, own - 1} if not (self.is_clear and self.number in AT_THEIR_OWN) else {own}
        if shift and abs(off - shift) > threshold("head_shifted_fits"):
            return None
        return shift if self.bone.number - shift in fits else None


def rib_heads(findings: Findings, spine: Spine) -> list[RibHead]:
    """Of all ribs that begin within ``rib_near_mm`` of a vertebra: one each, or one for each large piece."""
    nearest = _Vertebrae(findings, spine)
    return [
        head
        for side in SIDES
        for number in RIB_NUMBERS
        if (finding := findings.get(rib_name(side, number))) is not None
        for piece, points in _parts(findings, finding)
        if (head := nearest.head(finding, piece, side, number, points)) is not None
    ]


def _parts(findings: Findings, finding: Finding) -> Iterator[tuple[Piece, np.ndarray]]:
    findings.check_cancelled()
    large = [
        piece for piece in finding.pieces if piece.voxels >= threshold("rib_double_share") * finding.pieces[0].voxels
    ]
    if len(large) == 1:
        yield large[0], points_of(findings, finding, _STEP_MM)
        return
    numbered = finding.numbered_pieces
    for piece in large:
        yield piece, points_of(findings, finding, _STEP_MM, numbered == piece.number)


class _Vertebrae:
    """The vertebrae's voxels, to look for the nearest ones."""

    def __init__(self, findings: Findings, spine: Spine) -> None:
        self._spine = spine
        points = [_points_of_bone(findings, spine, bone) for bone in spine.bones]
        self._trees = [cKDTree(each) for each in points]
        self._all = cKDTree(np.vstack(points))
        self._owner = np.repeat(np.arange(len(points)), [len(each) for each in points])
        self._centres = cKDTree(np.array([bone.centre for bone in spine.bones]))

    def head(self, finding: Finding, piece: Piece, side: str, number: int, points: np.ndarray) -> RibHead | None:
        near_mm = threshold("rib_near_mm")
        points = points[self._centres.query(points, distance_upper_bound=_REACH_MM)[0] < _REACH_MM]
        if not len(points):
            return None
        beyond = max(_HEAD_MM, 2 * threshold("rib_clear_mm"))
        some, _ = self._all.query(points[::_SOME], distance_upper_bound=near_mm)
        # what lies further away than the nearest of some points and ``beyond`` plays no part, and looking so far takes
        # most of the time
        distances, indices = self._all.query(points, distance_upper_bound=min(near_mm, some.min()) + beyond)
        if distances.min() > near_mm:
            return None
        position = int(self._owner[indices[distances.argmin()]])
        place = points[distances <= distances.min() + _HEAD_MM].mean(axis=0)
        beside = range(max(0, position - _BESIDE), min(len(self._trees), position + _BESIDE + 1))
        limit = float(distances.min()) + 2 * threshold("rib_clear_mm")
        near = points[distances <= limit]
        others = [
            self._trees[other].query(near, distance_upper_bound=limit)[0].min() for other in beside if other != position
        ]
        arc = self._spine.line.arc_mm(place)
        bone = self._spine.bones[position]
        return RibHead(
            finding, piece, side, number, place, arc, bone,
            distance_mm=float(distances.min()),
            next_distance_mm=float(min([limit, *others])),
            level=self._level(arc, bone),
        )  # fmt: skip

    def _level(self, arc: float, bone: Bone) -> float | None:
        """From the nearest bone whose middle is known: one that the scan cuts has its middle elsewhere."""
        whole = [other for other in self._spine.bones if not other.is_cut] or [bone]
        support = min(whole, key=lambda other: abs(other.arc_mm - arc))
        spacing = self._spine.spacing_near_mm(support)
        if spacing is None or abs(arc - support.arc_mm) > threshold("level_reach") * spacing:
            return None
        return support.number + (arc - support.arc_mm) / spacing


def _points_of_bone(findings: Findings, spine: Spine, bone: Bone) -> np.ndarray:
    """The voxels of its name, those that are nearer to another bone of that name left out."""
    points = points_of(findings, bone.finding, _STEP_MM)
    same = [other for other in spine.bones if other.finding is bone.finding]
    if len(same) == 1:
        return points
    distances = [np.linalg.norm(points - other.centre, axis=1) for other in same]
    mine = points[np.argmin(distances, axis=0) == same.index(bone)]
    return mine if len(mine) else bone.centre[None]
