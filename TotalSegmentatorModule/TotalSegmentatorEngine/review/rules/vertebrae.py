"""Vertebrae: their order, doubled and skipped ones, distances, volumes, and parts that bear a neighbour's name.

What one fault explains is said once: a bone that bears its neighbour's name is doubled, and its own name not missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from scipy.ndimage import binary_dilation
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.findings import Finding, Piece
from TotalSegmentatorEngine.review.spine.bones import (
    L5,
    NUMBERS,
    ODD_SHAPES,
    Bone,
    Spine,
    names_between,
    short_name,
)
from TotalSegmentatorEngine.review.spine.order import exchanged_pairs, out_of_order

_JUNCTIONS = frozenset({"vertebrae_T12", "vertebrae_L5"})
"""Who lacks one of these may be built so."""
_L6 = "vertebrae_L6"
_END_FACTOR = 1.5
"""Between 1 and 2, see ``_volumes``."""


def vertebra_flags(spine: Spine) -> list[Flag]:
    """All but the numbering of whole runs (``rules.numbering``)."""
    numbers = [bone.number for bone in spine.bones]
    if np.corrcoef(numbers, range(len(numbers)))[0, 1] < 0:
        return []  # the CT is upside down, which the check of the whole result says
    flags = [*_swapped(spine), *_pieces_at_neighbours(spine)]
    swapped = {name for flag in flags if flag.rule == "vertebrae_swapped" for name in (flag.structure, *flag.others)}
    flags += [*_doubled(spine, swapped), *_out_of_order(spine, swapped)]
    odd = {flag.structure for flag in flags}
    flags += _gaps(spine, odd | swapped)
    return [*flags, *_volumes(spine, {name for flag in flags for name in (flag.structure, *flag.others)})]


# -- order -------------------------------------------------------------------------------------------------------------


def _swapped(spine: Spine) -> Iterator[Flag]:
    for first, second in exchanged_pairs([bone.number for bone in spine.bones]):
        upper, lower = sorted((spine.bones[first], spine.bones[second]), key=lambda bone: bone.number)
        yield Flag("vertebrae_swapped", Level.WRONG, upper.name, (lower.name,), tuple(upper.centre))


def _out_of_order(spine: Spine, swapped: set[str]) -> Iterator[Flag]:
    """A bone far from where its name belongs, unless the name has another bone, which is the right one."""
    bones = [bone for bone in spine.bones if bone.name not in swapped]
    for position in sorted(out_of_order([bone.number for bone in bones])):
        bone = bones[position]
        if sum(other.name == bone.name for other in bones) == 1:
            around = [bones[near].name for near in (position - 1, position + 1) if 0 <= near < len(bones)]
            yield Flag("vertebra_out_of_order", Level.WRONG, bone.name, tuple(around), tuple(bone.centre))


# -- doubled -----------------------------------------------------------------------------------------------------------


def _doubled(spine: Spine, swapped: set[str]) -> Iterator[Flag]:
    for name in sorted({bone.name for bone in spine.bones}, key=NUMBERS.__getitem__):
        bones = [bone for bone in spine.bones if bone.name == name]
        if len(bones) > 1:
            yield from _apart(spine, bones)
        elif name not in swapped and (flag := _spanning_two(spine, bones[0])):
            yield flag


def _apart(spine: Spine, bones: list[Bone]) -> Iterator[Flag]:
    """One flag for each bone but the one that fits best between its neighbours; the name that it should bear is told
    where no other bone bears it."""
    misfits = sorted(bones, key=lambda bone: (_misfit(spine, bone), -bone.piece.voxels))
    for bone in misfits[1:]:
        free = _free_name(spine, bone)
        others = (free,) if free is not None and spine.is_known(free) else ()
        numbers = {"volume_ml": round(bone.volume_ml, 1)}
        place = tuple(bone.centre)
        if bone.number == L5 and (free is None or NUMBERS[free] > L5):
            rule = "lumbar_vertebra_sixth" if others else "lumbar_vertebra_double"
            yield Flag(rule, Level.CHECK, bone.name, others, place, numbers)
        else:
            rule = "vertebra_double" if others else "vertebra_double_unplaced"
            yield Flag(rule, Level.WRONG, bone.name, others, place, numbers)


def _misfit(spine: Spine, bone: Bone) -> float:
    """How far the numbers of the next bones of other names are from fitting to this one, in vertebrae."""
    others = [other for other in spine.bones if other.name != bone.name]
    spacing = spine.spacing_near_mm(bone) or 1.0
    away = [abs((bone.number - other.number) - (bone.arc_mm - other.arc_mm) / spacing) for other in others]
    near = sorted(zip([abs(bone.arc_mm - other.arc_mm) for other in others], away, strict=True))[:4]
    return float(np.median([misfit for _distance, misfit in near])) if near else 0.0


def _free_name(spine: Spine, bone: Bone) -> str | None:
    """The one name that no bone bears and that belongs between the bones next to this one, or below them: L6."""
    position = spine.bones.index(bone)
    above = next((other for other in reversed(spine.bones[:position]) if other.name != bone.name), None)
    below = next((other for other in spine.bones[position + 1 :] if other.name != bone.name), None)
    if above and below:
        between = [name for name in names_between(above.name, below.name) if name not in spine.names]
        return between[0] if len(between) == 1 else None
    # at the end of a row the other bones may as well be the misnumbered ones; but nothing is below L5 or L6
    return _L6 if above and above.number == L5 - 1 and bone.number == L5 else None


def _spanning_two(spine: Spine, bone: Bone) -> Flag | None:
    ratio = spine.times_two_bones(bone)
    if ratio is None:
        return None
    free = tuple(spine.missing_beside(bone)[:1])
    if bone.number == L5 and not free:
        offered = (_L6,) if spine.is_known(_L6) else ()
        return Flag("lumbar_vertebra_double", Level.CHECK, bone.name, offered, tuple(bone.centre), {})
    numbers = {"ratio": round(ratio, 1)}
    return Flag("vertebra_spans_two", Level.WRONG, bone.name, free, tuple(bone.centre), numbers)


# -- gaps --------------------------------------------------------------------------------------------------------------


def _gaps(spine: Spine, odd: set[str]) -> Iterator[Flag]:
    """From each vertebra to the next one: skipped numbers, bones without a name, odd distances."""
    bones = [bone for bone in spine.bones if bone.name not in odd]
    ordinary: list[tuple[Bone, Bone, float]] = []
    for above, below in pairwise(bones):
        position = spine.bones.index(above)
        usual = spine.usual_gap_mm(position, odd)
        if spine.bones[position + 1] is not below or usual is None or below.number <= above.number:
            continue
        ratio, steps = spine.gaps_mm[position] / usual, math.ceil(below.number - above.number)
        if above.is_cut or below.is_cut:  # what is left of a cut bone has its middle elsewhere
            continue
        if steps > 1:
            yield from _skipped(above, below, ratio)
        elif spine.has_room_for_another(position):
            middle = (above.centre + below.centre) / 2
            yield Flag("vertebra_gap", Level.WRONG, above.name, (below.name,), tuple(middle), _ratio(ratio))
        elif not {above.name, below.name} & ODD_SHAPES:
            ordinary.append((above, below, ratio))
    yield from _spacings(ordinary)
    yield from _at_sacrum(spine, odd)


def _ratio(ratio: float) -> dict[str, float]:
    return {"ratio": round(float(ratio), 2)}


def _skipped(above: Bone, below: Bone, ratio: float) -> Iterator[Flag]:
    """Numbers that are left out although the bones that bear the numbers beside them are neighbours. Where there is
    room, the vertebrae are missing, which another rule says."""
    names = names_between(above.name, below.name)
    if ratio >= threshold("gap_of_two"):
        return
    middle = tuple((above.centre + below.centre) / 2)
    others = (above.name, below.name)
    if len(names) == 1 and names[0] in _JUNCTIONS:
        yield Flag("numbering_uncertain", Level.CHECK, names[0], others, middle)
    elif names:
        yield Flag("vertebra_skipped", Level.WRONG, names[0], others, middle, _ratio(ratio))


def _spacings(gaps: list[tuple[Bone, Bone, float]]) -> Iterator[Flag]:
    """One flag for each vertebra: where both of its distances are odd, it is the one that lies wrongly."""
    low, high = threshold("spacing_low"), threshold("spacing_high")
    odd = [(above, below, ratio) for above, below, ratio in gaps if not low <= ratio <= high]
    counts = [bone.name for above, below, _ratio_ in odd for bone in (above, below)]
    seen: set[str] = set()
    for above, below, ratio in odd:
        bone, other = (above, below) if counts.count(above.name) > counts.count(below.name) else (below, above)
        if bone.name not in seen:
            seen.add(bone.name)
            yield Flag("vertebra_spacing", Level.CHECK, bone.name, (other.name,), tuple(bone.centre), _ratio(ratio))


def _at_sacrum(spine: Spine, odd: set[str]) -> Iterator[Flag]:
    """The lowest vertebra should be L5: with room for another one there, or with another name, the count is unsure."""
    last, sacrum = spine.bones[-1], spine.sacrum
    usual, touches = spine.spacing_near_mm(last), spine.lies_at_sacrum(last)
    if sacrum is None or last.is_cut or last.name in odd or usual is None or touches is None:
        return
    if (last.number == L5 and touches) or (last.number > L5) or (last.number < L5 and not touches):
        return  # what is missing beside L5 is another rule's
    offered = (_L6,) if last.number == L5 and spine.is_known(_L6) else ()
    place = tuple(last.centre + spine.line.direction_at(last.centre) * usual * (1.0 if last.number == L5 else 0.5))
    rule = "lumbar_vertebra_more" if last.number == L5 else "lumbar_vertebra_less"
    yield Flag(rule, Level.CHECK, last.name, (sacrum.name, *offered), place, {"vertebra": short_name(last.name)})


# -- volumes -----------------------------------------------------------------------------------------------------------


def _volumes(spine: Spine, odd: set[str]) -> Iterator[Flag]:
    """Against the geometric mean of the vertebrae above and below; at the end of the row against the next one of the
    same part of the spine."""
    bones = [bone for bone in spine.bones if bone.name not in odd]
    usable = {bone.number: bone for bone in bones if not bone.is_cut and bone.name not in ODD_SHAPES}
    low, high = threshold("volume_low"), threshold("volume_high")
    ratios: dict[float, float] = {}
    ends: set[float] = set()
    for number, bone in usable.items():
        around = [usable[number + step] for step in (-1, 1) if number + step in usable]
        if len(around) == 2 or (around and around[0].name[:-2] == bone.name[:-2]):
            expected = float(np.exp(np.mean(np.log([other.volume_ml for other in around]))))
            ratios[number] = bone.volume_ml / expected
            ends |= {number} if len(around) == 1 else set()
    # beside an odd one, the last in the row is as odd against it, but an odd last one is twice as odd as the other
    oddness = {number: abs(np.log(ratio)) / (_END_FACTOR if number in ends else 1) for number, ratio in ratios.items()}
    for number, ratio in sorted(ratios.items()):
        beside = max(oddness.get(number + step, 0.0) for step in (-1, 1))
        if not low <= ratio <= high and oddness[number] >= beside:
            bone = usable[number]
            numbers = {"volume_ml": round(bone.volume_ml, 1)} | _ratio(ratio)
            yield Flag("vertebra_volume", Level.CHECK, bone.name, (), tuple(bone.centre), numbers)


# -- pieces ------------------------------------------------------------------------------------------------------------


def _pieces_at_neighbours(spine: Spine) -> Iterator[Flag]:
    """A part that lies apart from its own vertebra and touches another one; a scan may cut one into such parts."""
    own = {bone.piece for bone in spine.bones}
    for bone in spine.bones:
        finding = bone.finding
        pieces = [
            piece
            for piece in finding.pieces
            if piece not in own and piece.volume_ml >= threshold("piece_ml") and bone.piece is finding.pieces[0]
        ]
        if not pieces or finding.is_cut:
            continue
        numbered = finding.numbered_pieces
        for piece in pieces:
            touched = _touched(spine, finding, piece, numbered)
            if touched is not None:
                numbers = {"volume_ml": round(piece.volume_ml, 1)}
                place = tuple(piece.centre_ras_mm)
                yield Flag("vertebra_piece", Level.WRONG, finding.name, (touched,), place, numbers)


def _touched(spine: Spine, finding: Finding, piece: Piece, numbered: np.ndarray) -> str | None:
    """The other vertebra with the most voxels next to the piece."""
    shape = spine.findings.shape
    box = tuple(slice(max(0, p.start - 1), min(p.stop + 1, size)) for p, size in zip(piece.box, shape, strict=True))
    around = np.zeros([part.stop - part.start for part in box], bool)
    around[_inside(piece.box, box)] = numbered[_inside(piece.box, finding.box)] == piece.number
    around = binary_dilation(around, np.ones((3, 3, 3), bool))
    counts = {}
    for other in {bone.finding for bone in spine.bones} - {finding}:
        common = tuple(slice(max(a.start, b.start), min(a.stop, b.stop)) for a, b in zip(box, other.box, strict=True))
        if all(part.start < part.stop for part in common):
            near = other.mask[_inside(common, other.box)] & around[_inside(common, box)]
            counts[other.name] = int(near.sum())
    return max(counts, key=counts.__getitem__) if any(counts.values()) else None


def _inside(box: tuple[slice, ...], outer: tuple[slice, ...]) -> tuple[slice, ...]:
    return tuple(slice(a.start - b.start, a.stop - b.start) for a, b in zip(box, outer, strict=True))
