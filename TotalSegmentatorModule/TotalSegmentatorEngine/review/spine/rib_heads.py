"""Where each rib begins: its head, the vertebra that it lies at, and how far along the spine that is.

The ribs of these models stop short of the spine, so a head is the part of a rib that lies nearest to any vertebra; they
need not touch. Ribs whose head lies outside the scan have none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings, Piece
from TotalSegmentatorEngine.review.spine.bones import T1, Bone, Spine
from TotalSegmentatorEngine.review.spine.rib_distances import RibPart, Vertebra

SIDES = ("left", "right")
RIB_NUMBERS = range(1, 13)
AT_THEIR_OWN = frozenset({1, 11, 12})
"""Ribs that join one vertebra, their own; the others also join the one above."""
_HEAD_MM = 4.0
"""The head: voxels at most so much further from the vertebra than the nearest one."""
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
    vertebrae = [Vertebra(findings, spine, bone) for bone in spine.bones]
    nearest = _Vertebrae(spine, vertebrae)
    return [
        head
        for side in SIDES
        for number in RIB_NUMBERS
        if (finding := findings.get(rib_name(side, number))) is not None
        for part in _parts(findings, finding)
        if (head := nearest.head(part, side, number)) is not None
    ]


def _parts(findings: Findings, finding: Finding) -> list[RibPart]:
    findings.check_cancelled()
    smallest = threshold("rib_double_share") * finding.pieces[0].voxels
    large = [piece for piece in finding.pieces if piece.voxels >= smallest]
    return [RibPart(findings, finding, piece, is_all=len(large) == 1) for piece in large]


class _Vertebrae:
    """The vertebrae, to look for the nearest ones."""

    def __init__(self, spine: Spine, vertebrae: list[Vertebra]) -> None:
        self._spine = spine
        self._vertebrae = vertebrae

    def head(self, rib: RibPart, side: str, number: int) -> RibHead | None:
        near_mm, clear_mm = threshold("rib_near_mm"), threshold("rib_clear_mm")
        beyond = max(_HEAD_MM, 2 * clear_mm)
        found = [rib.distances_to(vertebra, near_mm, beyond) for vertebra in self._vertebrae]
        position = min(range(len(found)), key=lambda each: found[each].least)
        least = found[position].least
        if least > near_mm:
            return None
        place = rib.points[np.unique(np.concatenate([each.points_within(least + _HEAD_MM) for each in found]))].mean(
            axis=0
        )
        beside = range(max(0, position - _BESIDE), min(len(found), position + _BESIDE + 1))
        arc = self._spine.line.arc_mm(place)
        bone = self._spine.bones[position]
        return RibHead(
            rib.finding, rib.piece, side, number, place, arc, bone,
            distance_mm=least,
            next_distance_mm=min(least + 2 * clear_mm, *(found[each].least for each in beside if each != position)),
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
