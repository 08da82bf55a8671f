"""The vertebrae along the spine: bones in the order in which they lie, and how far along it a place is.

A label normally is one bone; two apart pieces of one label are two bones with the same name. The line through the bones
knows nothing of their names, so that wrong names do not bend it.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from TotalSegmentatorWire.tables.numbered_names import SHORT_VERTEBRAE
from TotalSegmentatorWire.tables.numbered_names import VERTEBRA_PREFIX as PREFIX
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings, Piece
from TotalSegmentatorEngine.review.spine.points import points_of

T13 = PREFIX + "T13"
NUMBERS = {PREFIX + short: float(number) for number, short in enumerate(SHORT_VERTEBRAE, 1)} | {T13: 19.5}
"""C1 is 1, L5 is 24, and L6 is 25; a T13 lies between T12 (19) and L1 (20)."""
T1, L1, L5 = (NUMBERS[PREFIX + short] for short in ("T1", "L1", "L5"))
SACRUM = ("vertebrae_S1", "sacrum")
ODD_SHAPES = frozenset({"vertebrae_C1", "vertebrae_C2"})
"""The atlas is a ring and the axis bears its tooth: neither their distances nor their volumes are like the others'."""
_NAMES = {number: name for name, number in NUMBERS.items()}
_BEYOND_MM = 300.0
"""How far the line goes on straight beyond the first and last bone: longer than any rib head is away from it."""
_LEAST_MM = 1.0
"""Vertebrae that are less apart are the same one twice, in overlapping segments."""
_FEWEST = 3
"""The order of fewer vertebrae says nothing."""
_STEP_MM = 3.0
_COLUMN_MM = 35.0
"""The sacrum above the lowest vertebra's middle is its top; its wings, further to the sides, rise beside L5."""


def name_of(number: float) -> str | None:
    return _NAMES.get(number)


def short_name(name: str) -> str:
    """T8 for vertebrae_T8."""
    return name.removeprefix(PREFIX)


def names_between(first: str, second: str) -> list[str]:
    """Names that follow ``first`` and precede ``second``, T13 not among them."""
    numbers = range(math.floor(NUMBERS[first]) + 1, math.ceil(NUMBERS[second]))
    return [_NAMES[float(number)] for number in numbers]


@dataclass(frozen=True, eq=False)
class Bone:
    """What carries a vertebra's name at one place."""

    finding: Finding
    piece: Piece
    """The largest there."""
    arc_mm: float
    """Along the spine, from its first bone at the head to the feet."""

    @property
    def name(self) -> str:
        return self.finding.name

    @property
    def number(self) -> float:
        return NUMBERS[self.finding.name]

    @property
    def centre(self) -> np.ndarray:
        return self.piece.centre_ras_mm

    @property
    def volume_ml(self) -> float:
        return self.piece.volume_ml

    @property
    def is_cut(self) -> bool:
        return self.finding.is_cut


class SpineLine:
    """A line through the bones, from the head to the feet, straight beyond its ends."""

    def __init__(self, centres: np.ndarray) -> None:
        """``centres``: RAS (n, 3) in mm, in any order. Raises ValueError where fewer than three of them lie apart."""
        middle = centres.mean(axis=0)
        axis = np.linalg.svd(centres - middle)[2][0]
        if axis[2] > 0:  # from the head to the feet
            axis = -axis
        nodes = centres[np.argsort((centres - middle) @ axis)]
        is_apart = np.linalg.norm(np.diff(nodes, axis=0), axis=1) >= _LEAST_MM
        nodes = nodes[np.concatenate([[True], is_apart])]
        if len(nodes) < _FEWEST:
            raise ValueError("too few places for a line")
        smooth = nodes.copy()
        smooth[1:-1] = (nodes[:-2] + 2 * nodes[1:-1] + nodes[2:]) / 4
        inner = min(2, len(nodes) - 1)
        ends = [smooth[0] - smooth[inner], smooth[-1] - smooth[-1 - inner]]
        first, last = (
            node + _BEYOND_MM * end / np.linalg.norm(end) for node, end in zip(smooth[[0, -1]], ends, strict=True)
        )
        self._nodes = np.vstack([first, smooth, last])
        self._steps = np.diff(self._nodes, axis=0)
        self._lengths = np.linalg.norm(self._steps, axis=1)
        self._starts = np.concatenate([[0.0], np.cumsum(self._lengths)[:-1]]) - _BEYOND_MM

    def arc_mm(self, place: np.ndarray) -> float:
        """How far along the line the nearest place of the line lies, from its first bone."""
        share, nearest = self._nearest(place)
        return float(self._starts[nearest] + share * self._lengths[nearest])

    def direction_at(self, place: np.ndarray) -> np.ndarray:
        """Unit vector to the feet."""
        _share, nearest = self._nearest(place)
        return self._steps[nearest] / self._lengths[nearest]

    def _nearest(self, place: np.ndarray) -> tuple[float, int]:
        away = np.asarray(place) - self._nodes[:-1]
        shares = np.clip((away * self._steps).sum(axis=1) / self._lengths**2, 0.0, 1.0)
        distances = np.linalg.norm(away - shares[:, None] * self._steps, axis=1)
        nearest = int(distances.argmin())
        return float(shares[nearest]), nearest


class Spine:
    def __init__(self, findings: Findings, line: SpineLine, bones: list[Bone]) -> None:
        self.findings = findings
        self.line = line
        self.bones = sorted(bones, key=lambda bone: bone.arc_mm)
        """From the head to the feet, as they lie."""

    @cached_property
    def names(self) -> frozenset[str]:
        """Of all vertebrae, those that take no part among them."""
        return frozenset(name for name in self.findings if name in NUMBERS)

    def is_known(self, name: str) -> bool:
        """Whether the segmentation could hold it; the usual names where nobody knows."""
        return name in self.findings.sought if self.findings.sought else NUMBERS[name] <= L5 and name != T13

    @cached_property
    def gaps_mm(self) -> np.ndarray:
        """From each bone to the next one along the spine."""
        return np.diff([bone.arc_mm for bone in self.bones])

    def usual_gap_mm(self, position: int, odd: Container[str] = ()) -> float | None:
        """Running median of the gaps near the one that follows bone ``position``, without itself and those beside bones
        named in ``odd``; None where fewer than two can be measured."""
        reach = int(threshold("vertebra_neighbours"))
        beside_odd = {gap for place, bone in enumerate(self.bones) if bone.name in odd for gap in (place - 1, place)}
        return self._median_gap(range(position - reach, position + reach + 1), {position} | beside_odd)

    def spacing_near_mm(self, bone: Bone, leave_out_own: bool = False) -> float | None:
        """Median distance of the bones around one, without its own distances if so asked; None where fewer than two
        can be measured."""
        position = self.bones.index(bone)
        reach = int(threshold("vertebra_neighbours"))
        left_out = {position - 1, position} if leave_out_own else set()
        return self._median_gap(range(position - reach, position + reach), left_out)

    def has_room_for_another(self, position: int) -> bool:
        """Whether the gap that follows bone ``position`` is as wide as two, and not because one of its bones lies too
        near to the next one."""
        usual = self.usual_gap_mm(position)
        if usual is None or self.gaps_mm[position] < threshold("gap_of_two") * usual:
            return False
        beside = [gap for gap in (position - 1, position + 1) if 0 <= gap < len(self.gaps_mm)]
        return all(self.gaps_mm[gap] >= threshold("gap_beside") * usual for gap in beside)

    def times_two_bones(self, bone: Bone) -> float | None:
        """Its volume in those of the vertebrae beside it where it seems to be two in one: it has the volume of two, and
        leaves their room or, where nothing tells how much that is, a name beside its own is missing. None where it does
        not seem so."""
        position, usual = self.bones.index(bone), self.spacing_near_mm(bone, leave_out_own=True)
        near = [other for other in self.bones[max(0, position - 2) : position + 3] if other is not bone]
        volumes = [other.volume_ml for other in near if not other.is_cut]
        if bone.name in ODD_SHAPES or bone.is_cut or len(volumes) < 2:
            return None
        ratio = bone.volume_ml / float(np.median(volumes))
        gaps = [self.gaps_mm[gap] for gap in (position - 1, position) if 0 <= gap < len(self.gaps_mm)]
        if ratio < threshold("spanning_volume"):
            return None
        if usual is None:
            return ratio if self.missing_beside(bone) else None
        return ratio if float(np.mean(gaps)) >= threshold("spanning_gap") * usual else None

    def missing_beside(self, bone: Bone) -> list[str]:
        """Names next to its own that no bone bears although names beyond them, or the sacrum, are there."""
        numbers = [other.number for other in self.bones]
        beside = [number for number in (bone.number - 1, bone.number + 1) if _NAMES.get(number) in NUMBERS]
        return [
            _NAMES[number]
            for number in beside
            if _NAMES[number] not in self.names
            and min(numbers) < number
            and (number < max(numbers) or (self.sacrum is not None and number <= L5))
        ]

    def _median_gap(self, positions: range, left_out: set[int]) -> float | None:
        """Bones that the scan cuts have their middle elsewhere, so that their gaps do not count."""
        gaps = [
            self.gaps_mm[position]
            for position in positions
            if 0 <= position < len(self.gaps_mm)
            and position not in left_out
            and not self.bones[position].is_cut
            and not self.bones[position + 1].is_cut
        ]
        return float(np.median(gaps)) if len(gaps) > 1 and np.median(gaps) >= _LEAST_MM else None

    @cached_property
    def sacrum(self) -> Finding | None:
        """The part of it that lies next to the spine."""
        return next((self.findings[name] for name in SACRUM if name in self.findings), None)

    def lies_at_sacrum(self, last: Bone) -> bool | None:
        """Whether there is no room for a vertebra between the lowest one and the sacrum; None without a sacrum below
        it, and where the distances are unknown."""
        spacing = self.spacing_near_mm(last)
        if self.sacrum is None or spacing is None:
            return None
        away = points_of(self.findings, self.sacrum, _STEP_MM) - last.centre
        down = self.line.direction_at(last.centre)
        along = away @ down
        beside = np.linalg.norm(away - along[:, None] * down, axis=1)
        column = along[beside < _COLUMN_MM]
        return bool(column.min() < threshold("sacrum_room") * spacing) if len(column) else None


def spine_of(findings: Findings) -> Spine | None:
    """None with fewer than three vertebrae that lie apart. Those that a narrow field of view cuts take no part: what is
    left, such as a spinous process, lies beside another vertebra."""
    vertebrae = [finding for name, finding in findings.items() if name in NUMBERS and not finding.is_cut_at_a_side]
    whole = [finding for finding in vertebrae if not finding.is_cut]
    supports = whole if len(whole) >= _FEWEST else vertebrae
    if len(vertebrae) < _FEWEST:
        return None
    try:
        line = SpineLine(np.array([finding.pieces[0].centre_ras_mm for finding in supports]))
    except ValueError:
        return None
    spine = Spine(findings, line, [_bone(finding, finding.pieces[0], line) for finding in vertebrae])
    twice = [bone for first in spine.bones for bone in _further_bones(spine, first)]
    if not twice:
        return spine
    # now through the further bones as well: without them the line may run past them
    places = [bone.centre for bone in [*spine.bones, *twice] if not bone.is_cut or len(whole) < _FEWEST]
    line = SpineLine(np.array(places))
    return Spine(findings, line, [_bone(bone.finding, bone.piece, line) for bone in [*spine.bones, *twice]])


def _bone(finding: Finding, piece: Piece, line: SpineLine) -> Bone:
    return Bone(finding, piece, line.arc_mm(piece.centre_ras_mm))


def _further_bones(spine: Spine, first: Bone) -> list[Bone]:
    """Large pieces of the label that lie apart from its largest one, along the spine."""
    spacing = spine.spacing_near_mm(first) or first.piece.volume_ml ** (1 / 3) * 10.0
    near = sorted(spine.bones, key=lambda bone: abs(bone.arc_mm - first.arc_mm))[1:5]
    usual = float(np.median([bone.volume_ml for bone in near]))
    smallest = threshold("double_share") * max(first.volume_ml, usual)
    bones = [first]
    for piece in first.finding.pieces[1:]:
        bone = _bone(first.finding, piece, spine.line)
        is_large = piece.volume_ml >= smallest
        if is_large and all(abs(bone.arc_mm - other.arc_mm) > threshold("double_apart") * spacing for other in bones):
            bones.append(bone)
    return bones[1:]
