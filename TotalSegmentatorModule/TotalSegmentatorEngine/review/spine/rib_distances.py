"""How far the points of a rib lie from a vertebra. Measured once for the same voxels of both: after an edit of one, the
distances of all the others are known.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from scipy.spatial import cKDTree

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings, Piece
from TotalSegmentatorEngine.review.spine.bones import Bone, Spine
from TotalSegmentatorEngine.review.spine.points import points_of, tree_of

_STEP_MM = 2.0
_SOME = 8
"""Every so many points of a rib give a first idea of its distance."""


@dataclass(frozen=True, eq=False)
class Distances:
    """Of the points that are near enough to matter."""

    points: np.ndarray
    """Their positions in ``RibPart.points``."""
    mm: np.ndarray

    @cached_property
    def least(self) -> float:
        """In mm; infinite where no point is near."""
        return float(self.mm.min()) if len(self.mm) else float("inf")

    def points_within(self, mm: float) -> np.ndarray:
        return self.points[self.mm <= mm]


class Vertebra:
    """The voxels of one bone, thinned out."""

    def __init__(self, findings: Findings, spine: Spine, bone: Bone) -> None:
        same = [other for other in spine.bones if other.finding is bone.finding]
        self.is_only = len(same) == 1
        """Whether no other bone bears its name, so that all voxels of that name are its."""
        self.finding = bone.finding
        if self.is_only:
            self.tree = tree_of(findings, bone.finding, _STEP_MM)
        else:
            self.tree = cKDTree(_nearest_to(bone, same, points_of(findings, bone.finding, _STEP_MM)))


def _nearest_to(bone: Bone, same: list[Bone], points: np.ndarray) -> np.ndarray:
    """Those of ``points`` that are nearer to ``bone`` than to another bone of its name."""
    distances = [np.linalg.norm(points - other.centre, axis=1) for other in same]
    mine = points[np.argmin(distances, axis=0) == same.index(bone)]
    return mine if len(mine) else bone.centre[None]


class RibPart:
    """A rib, or one of its pieces where several are large."""

    def __init__(self, findings: Findings, finding: Finding, piece: Piece, is_all: bool) -> None:
        self.finding, self.piece = finding, piece
        self.points = points_of(findings, finding, _STEP_MM, None if is_all else piece)
        """RAS (n, 3) in mm."""
        self._known: WeakKeyDictionary[object, Distances] = finding.once(
            ("distances", None if is_all else piece.number), WeakKeyDictionary
        )

    def distances_to(self, vertebra: Vertebra, near_mm: float, beyond_mm: float) -> Distances:
        """Of all points up to ``beyond_mm`` further away than the nearest one, which is sought within ``near_mm``: the
        same two at each call."""
        if not vertebra.is_only:
            return self._measured(vertebra.tree, near_mm, beyond_mm)
        key = vertebra.finding.measured
        if key not in self._known:
            self._known[key] = self._measured(vertebra.tree, near_mm, beyond_mm)
        return self._known[key]

    def _measured(self, tree: cKDTree, near_mm: float, beyond_mm: float) -> Distances:
        reach = near_mm + beyond_mm
        beside = ((self.points > tree.mins - reach) & (self.points < tree.maxes + reach)).all(axis=1)
        indices = np.flatnonzero(beside)
        some, _ = tree.query(self.points[indices[::_SOME]], distance_upper_bound=reach)
        # to look further than the nearest of some points and ``beyond_mm`` takes most of the time
        limit = min([near_mm, *some]) + beyond_mm
        mm, _ = tree.query(self.points[indices], distance_upper_bound=limit)
        is_near = np.isfinite(mm)
        return Distances(indices[is_near], mm[is_near])
