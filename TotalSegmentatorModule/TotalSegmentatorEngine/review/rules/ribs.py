"""Ribs: exchanged, doubled and misnumbered ones, heads at unlike heights, and sides of unlike volume.

The number of a rib is tested against the vertebra that it lies at, only where that is near and plain, and against the
rib of the other side. Where both sides say the same, the vertebrae may be wrong as well: ``rules.numbering``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from scipy.spatial import cKDTree
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings
from TotalSegmentatorEngine.review.spine.bones import T1, Spine
from TotalSegmentatorEngine.review.spine.order import exchanged_pairs
from TotalSegmentatorEngine.review.spine.points import points_of
from TotalSegmentatorEngine.review.spine.rib_heads import RIB_NUMBERS, SIDES, RibHead, rib_name

_STEP_MM = 3.0
_MISSING_MM = 10.0
"""What a rib lacks: where the other side's, mirrored, is further away than this; about as much as a rib is thick."""


def rib_flags(findings: Findings, spine: Spine, heads: Sequence[RibHead], explained: Iterable[str]) -> list[Flag]:
    """``explained``: ribs whose number does not fit because the vertebrae's numbers do not."""
    flags = [*_doubled(findings, spine, heads)]
    done = {flag.structure for flag in flags}
    single = [head for head in heads if head.name not in done]
    swapped = list(_swapped(single))
    done |= {name for flag in swapped for name in (flag.structure, *flag.others)} | set(explained)
    single = [head for head in single if head.name not in done]
    numbered = list(_misnumbered(findings, single))
    done |= {name for flag in numbered for name in (flag.structure, *flag.others)}
    flags += [*swapped, *numbered, *_heights(spine, [head for head in single if head.name not in done])]
    done |= {name for flag in flags for name in (flag.structure, *flag.others)}
    return flags + list(_asymmetric(findings, heads, done))


def _doubled(findings: Findings, spine: Spine, heads: Sequence[RibHead]) -> Iterator[Flag]:
    """Two large pieces that both begin at the spine, at different heights or on both sides of it."""
    for _name, group in groupby(heads, key=lambda head: head.name):
        pieces = list(group)
        if len(pieces) < 2:
            continue
        right, *others = sorted(pieces, key=lambda head: (_off(head), -head.piece.voxels))
        for other in others:
            spacing = spine.spacing_near_mm(other.bone)
            is_higher = spacing is not None and abs(other.arc_mm - right.arc_mm) > threshold("double_apart") * spacing
            if is_higher:
                free = _fitting_name(findings, other)
                numbers = {"volume_ml": round(other.piece.volume_ml, 1)}
                place = tuple(other.piece.centre_ras_mm)
                if other.number == RIB_NUMBERS[-1] and other.arc_mm > right.arc_mm:
                    yield Flag("rib_thirteenth", Level.CHECK, other.name, (), place, numbers)
                else:
                    rule = "rib_double" if free else "rib_double_unplaced"
                    yield Flag(rule, Level.WRONG, other.name, (free,) if free else (), place, numbers)


def _off(head: RibHead) -> float:
    """How far it lies from where its number belongs, in vertebrae."""
    own = T1 - 1 + head.number
    return abs(head.level - own) if head.level is not None else abs(head.bone.number - own)


def _fitting_name(findings: Findings, head: RibHead) -> str | None:
    """The name for its height that no rib of its side bears."""
    level = head.level if head.level is not None else head.bone.number
    number = round(level + threshold("head_above") - (T1 - 1))
    name = rib_name(head.side, number)
    return name if number in RIB_NUMBERS and name not in findings else None


def _swapped(heads: Sequence[RibHead]) -> Iterator[Flag]:
    for side in SIDES:
        row = sorted((head for head in heads if head.side == side), key=lambda head: head.arc_mm)
        for first, second in exchanged_pairs([head.number for head in row]):
            upper, lower = sorted((row[first], row[second]), key=lambda head: head.number)
            place = tuple(upper.finding.centre_ras_mm)
            yield Flag("ribs_swapped", Level.WRONG, upper.name, (lower.name,), place)


def _misnumbered(findings: Findings, heads: Sequence[RibHead]) -> Iterator[Flag]:
    """Ribs that do not fit to their vertebra while those of the other side do: a run is one flag."""
    by_name = {head.name: head for head in heads}
    for side, other_side in (SIDES, SIDES[::-1]):
        wrong = []
        for number in RIB_NUMBERS:
            head, opposite = (by_name.get(rib_name(each, number)) for each in (side, other_side))
            if head is not None and opposite is not None and _is_wrong_beside(head, opposite):
                wrong.append(head)
        for run in _runs(wrong):
            yield from _misnumbered_run(findings, run)


def _is_wrong_beside(head: RibHead, opposite: RibHead) -> bool:
    if not head.is_clear or not head.shift or opposite.shift != 0:
        return False
    return abs(head.level - opposite.level) > threshold("heads_apart")


def _runs(heads: list[RibHead]) -> list[list[RibHead]]:
    """Neighbours with the same shift."""
    runs: list[list[RibHead]] = []
    for head in heads:
        last = runs[-1][-1] if runs else None
        if last is not None and last.number == head.number - 1 and last.shift == head.shift:
            runs[-1].append(head)
        else:
            runs.append([head])
    return runs


def _misnumbered_run(findings: Findings, run: list[RibHead]) -> Iterator[Flag]:
    first, shift = run[0], run[0].shift
    others = tuple(head.name for head in run[1:])
    numbers = {"shift": shift, "first": first.number, "last": run[-1].number, "new": first.number + shift}
    free = [
        (name := rib_name(head.side, head.number + shift)) not in findings or name in {each.name for each in run}
        for head in run
    ]
    is_possible = all(free) and all(head.number + shift in RIB_NUMBERS for head in run)
    rule, level = ("ribs_misnumbered", Level.WRONG) if is_possible else ("rib_at_other_vertebra", Level.CHECK)
    for structure, rest in [(first.name, others)] if is_possible else [(head.name, ()) for head in run]:
        head = next(head for head in run if head.name == structure)
        yield Flag(rule, level, structure, rest, tuple(head.place), numbers | _evidence(head))


def _evidence(head: RibHead) -> dict[str, float | str]:
    return {"vertebra": head.bone.name.partition("_")[2], "distance_mm": round(head.distance_mm, 1)}


def _heights(spine: Spine, heads: Sequence[RibHead]) -> Iterator[Flag]:
    by_name = {head.name: head for head in heads}
    for number in RIB_NUMBERS:
        left, right = (by_name.get(rib_name(side, number)) for side in SIDES)
        if left is None or right is None:
            continue
        spacing = spine.spacing_near_mm(left.bone)
        apart = abs(left.arc_mm - right.arc_mm)
        if spacing is not None and apart > threshold("heads_apart") * spacing:
            numbers = {"apart_mm": round(apart)}
            yield Flag("rib_heads_unlike", Level.CHECK, left.name, (right.name,), tuple(left.place), numbers)


# -- volumes -----------------------------------------------------------------------------------------------------------


def _asymmetric(findings: Findings, heads: Sequence[RibHead], done: set[str]) -> Iterator[Flag]:
    for number in RIB_NUMBERS[:-1]:  # rib 12 differs too much between the sides of healthy people
        pair = [findings.get(rib_name(side, number)) for side in SIDES]
        if None in pair or any(rib.is_cut or rib.name in done for rib in pair):
            continue
        smaller, larger = sorted(pair, key=lambda rib: rib.volume_ml)
        share = (larger.volume_ml - smaller.volume_ml) / (larger.volume_ml + smaller.volume_ml)
        if share > threshold("asymmetry_ends" if number in (1, 10, 11) else "asymmetry"):
            place = _missing_place(findings, smaller, larger, heads)
            numbers = {"smaller_ml": round(smaller.volume_ml, 1), "larger_ml": round(larger.volume_ml, 1)}
            yield Flag("rib_asymmetry", Level.CHECK, smaller.name, (larger.name,), tuple(place), numbers)


def _missing_place(findings: Findings, smaller: Finding, larger: Finding, heads: Sequence[RibHead]) -> np.ndarray:
    """The middle of what the smaller rib lacks of the larger one mirrored; its own where they differ all along."""
    pairs = _pairs_of_heads(heads)
    if not pairs:
        return smaller.centre_ras_mm
    across = np.mean([right - left for left, right, _number in pairs], axis=0)
    across /= np.linalg.norm(across)
    number = int(larger.name.rpartition("_")[2])
    left, right, _number = min(pairs, key=lambda pair: abs(pair[2] - number))
    points = points_of(findings, larger, _STEP_MM)
    mirrored = points - 2 * ((points - (left + right) / 2) @ across)[:, None] * across
    away = cKDTree(points_of(findings, smaller, _STEP_MM)).query(mirrored)[0]
    missing = mirrored[away > _MISSING_MM]
    if not len(missing):
        return smaller.centre_ras_mm
    beside = cKDTree(missing).query(mirrored)[0] < _MISSING_MM  # up to where the smaller rib ends
    return mirrored[beside & (away > _STEP_MM)].mean(axis=0)


def _pairs_of_heads(heads: Sequence[RibHead]) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Places of the left and right head of each number that has one of each."""
    places = {}
    for head in heads:
        places.setdefault((head.side, head.number), []).append(head.place)
    return [
        (places["left", number][0], places["right", number][0], number)
        for number in RIB_NUMBERS
        if all(len(places.get((side, number), ())) == 1 for side in SIDES)
    ]
