"""Runs of vertebrae with shifted numbers, and people with another number of vertebrae or ribs.

``SHIFTED`` draws what should be proposed to be renumbered. ``VARIANTS`` are no faults of a network, or such that nobody
can tell: nothing may be renumbered.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import RIBS, SIDES, VERTEBRAE, LabelMap, PlantedFault, shifted

_FEWEST_PAIRS = 5
"""Within a planted run: one more than the rule needs, as a pair may be unusable."""


def _planted(new: LabelMap, labels: list[str]) -> PlantedFault:
    place = tuple(new.centre(labels[0]))
    return PlantedFault(new, "numbering_shifted", labels[0], Level.WRONG, place, tuple(labels[1:]))


def all_shifted(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """All vertebrae that the scan shows: it ends below C1, and shows the sacrum or all ribs."""
    names = body.present(VERTEBRAE)
    if "vertebrae_C1" in names:
        return None
    shows_sacrum = names[-1] == "vertebrae_L5"
    by = -1 if shows_sacrum else int(rng.choice([-1, 1]))
    thoracic = [name for name in names if name.startswith("vertebrae_T") and body.is_whole(name)]
    if len(thoracic) < (_FEWEST_PAIRS if shows_sacrum else 12):
        return None
    new = body.renamed(shifted(names, by, VERTEBRAE))
    labels = [VERTEBRAE[VERTEBRAE.index(name) + by] for name in names]
    return _planted(new, labels)


def run_shifted(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Some of them: at one end of the run two bones bear one name, at the other a name is left out."""
    names = [name for name in body.whole(VERTEBRAE) if name not in VERTEBRAE[:3]]
    thoracic = [name for name in names if name.startswith("vertebrae_T")]
    if len(thoracic) < _FEWEST_PAIRS + 1 or len(names) < _FEWEST_PAIRS + 4:
        return None
    start = int(rng.integers(1, len(names) - _FEWEST_PAIRS - 1))
    end = int(rng.integers(start + _FEWEST_PAIRS, len(names) - 1))
    run = names[start : end + 1]
    ribs = [name for name in run if name.startswith("vertebrae_T")]
    by = int(rng.choice([-1, 1]))
    if len(ribs) < _FEWEST_PAIRS + 1 or (by > 0 and run[-1] == "vertebrae_L5"):
        return None
    new = body.renamed(shifted(run, by, VERTEBRAE))
    return _planted(new, run[:-1] if by < 0 else run[1:])


SHIFTED = {plant.__name__: plant for plant in (all_shifted, run_shifted)}


# -- variants ----------------------------------------------------------------------------------------------------------


def with_sixth_lumbar(body: LabelMap) -> tuple[LabelMap, np.ndarray] | None:
    """A further vertebra between L5 and the sacrum, named L5 as the one above it, and a bool map of its half of the
    body: below it all is moved down by one vertebra. None where L5 is not whole."""
    if not body.is_whole("vertebrae_L5") or not body.is_whole("vertebrae_L4"):
        return None
    axis = 2 - int(np.abs(body.ijk_to_ras[2, :3]).argmax())  # of k, j, i: along the spine
    upper, lower = (body.indices(name)[:, axis].mean() for name in ("vertebrae_L4", "vertebrae_L5"))
    step = 1 if lower > upper else -1
    height = round(abs(lower - upper))
    before = (lower if step > 0 else body.labels.shape[axis] - 1 - lower) - height / 2
    start = round(before)

    def with_copy(array: np.ndarray, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """``of`` the slab of the lowest vertebra, and then the slab again with all that is below."""
        down = np.moveaxis(array, axis, 0)[::step]
        new = np.concatenate([down[:start], of(down[start : start + height]), down[start:]])
        return np.ascontiguousarray(np.moveaxis(new[::step], 0, axis))

    labels = with_copy(body.labels, lambda slab: np.where(slab == body.table["sacrum"], 0, slab))
    ct = None if body.ct is None else with_copy(body.ct, lambda slab: slab)
    below = np.zeros(labels.shape, bool)
    np.moveaxis(below, axis, 0)[::step][start + height :] = True
    return replace(body, labels=labels, ct=ct), below


def sixth_lumbar_nameless(body: LabelMap) -> LabelMap | None:
    made = with_sixth_lumbar(body)
    return made and made[0].painted(made[1] & made[0].mask("vertebrae_L5"), None)


def sixth_lumbar_named_l5(body: LabelMap) -> LabelMap | None:
    made = with_sixth_lumbar(body)
    return made and made[0]


def numbered_from_below(body: LabelMap) -> LabelMap | None:
    """Six lumbar vertebrae, the lowest of which is named L5, and all above it one too low."""
    made = with_sixth_lumbar(body)
    if made is None:
        return None
    sixth = made[1] & made[0].mask("vertebrae_L5")
    new = made[0].painted(sixth, None)
    new = new.renamed(shifted(new.present(VERTEBRAE), -1, VERTEBRAE))
    return new.painted(sixth, "vertebrae_L5")


def numbered_from_below_in_part(body: LabelMap) -> LabelMap | None:
    """As ``numbered_from_below``, but only up to T6, which two bones are named."""
    made = with_sixth_lumbar(body)
    if made is None:
        return None
    sixth = made[1] & made[0].mask("vertebrae_L5")
    new = made[0].painted(sixth, None)
    lower = new.present(VERTEBRAE[VERTEBRAE.index("vertebrae_T7") :])
    return new.renamed(shifted(lower, -1, VERTEBRAE)).painted(sixth, "vertebrae_L5")


def four_lumbar(body: LabelMap) -> LabelMap:
    """L5 is part of the sacrum."""
    return body.renamed({"vertebrae_L5": "sacrum"})


def _ribs_renamed(body: LabelMap, by: int) -> LabelMap:
    return body.renamed({old: new for side in SIDES for old, new in shifted(RIBS[side], by, RIBS[side]).items()})


def _eleven_pairs(body: LabelMap) -> LabelMap:
    return body.renamed({RIBS[side][-1]: None for side in SIDES})


def eleven_pairs(body: LabelMap) -> LabelMap:
    return _eleven_pairs(body)


def eleven_pairs_numbered_from_below(body: LabelMap) -> LabelMap:
    """The lowest is named rib 12 although it lies at T11."""
    return _ribs_renamed(_eleven_pairs(body), 1)


def eleven_pairs_numbered_from_below_in_part(body: LabelMap) -> LabelMap:
    """Only from rib 6 down, so that no rib is named 6."""
    renamed = {old: new for side in SIDES for old, new in shifted(RIBS[side][5:11], 1, RIBS[side]).items()}
    return _eleven_pairs(body).renamed(renamed)


def _thirteenth_pair(body: LabelMap, name_of_it: str | None, shift: int = 0) -> LabelMap | None:
    """``shift``: of the names of the other ribs."""
    if not all(body.mask(name).any() for name in ("vertebrae_L1", "vertebrae_T12")):
        return None
    by = body.centre("vertebrae_L1") - body.centre("vertebrae_T12")
    new = _ribs_renamed(body, shift)
    for side in SIDES:
        old = RIBS[side][-1]
        if not body.mask(old).any():
            return None
        there = body.moved(old, by).mask(old) & (body.labels == 0)
        new = new.painted(there, name_of_it and name_of_it.format(side=side))
    return new


def thirteen_pairs(body: LabelMap) -> LabelMap | None:
    """The lowest has no name."""
    return _thirteenth_pair(body, None)


def thirteen_pairs_two_named_12(body: LabelMap) -> LabelMap | None:
    return _thirteenth_pair(body, "rib_{side}_12")


def thirteen_pairs_numbered_from_below(body: LabelMap) -> LabelMap | None:
    """The lowest, at L1, is named rib 12. Only where the scan does not show rib 1, of which the count would start."""
    if any(body.mask(RIBS[side][0]).any() for side in SIDES) and not body.mask("vertebrae_C1").any():
        return None
    return _thirteenth_pair(body, "rib_{side}_12", -1)


Variant = Callable[[LabelMap], "LabelMap | None"]
VARIANTS: dict[str, Variant] = {
    variant.__name__: variant
    for variant in (
        sixth_lumbar_nameless,
        sixth_lumbar_named_l5,
        numbered_from_below,
        numbered_from_below_in_part,
        four_lumbar,
        eleven_pairs,
        eleven_pairs_numbered_from_below,
        eleven_pairs_numbered_from_below_in_part,
        thirteen_pairs,
        thirteen_pairs_two_named_12,
        thirteen_pairs_numbered_from_below,
    )
}


# -- flags of variants -------------------------------------------------------------------------------------------------


def _uncertain(new: LabelMap | None, rule: str, structure: str, place: np.ndarray | None) -> PlantedFault | None:
    return None if new is None else PlantedFault(new, rule, structure, Level.CHECK, tuple(place))


def one_lumbar_more(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """The flag points to the nameless one, or to the further L5."""
    named = bool(rng.integers(2))
    made = with_sixth_lumbar(body)
    if made is None:
        return None
    sixth = made[1] & made[0].mask("vertebrae_L5")
    new = made[0] if named else made[0].painted(sixth, None)
    rule = "lumbar_vertebra_double" if named else "lumbar_vertebra_more"
    return _uncertain(new, rule, "vertebrae_L5", new.ras(np.argwhere(sixth)).mean(axis=0))


def one_lumbar_more_that_has_a_name(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """The label set has an L6; both lowest vertebrae are named L5."""
    made = with_sixth_lumbar(body)
    if made is None:
        return None
    sixth = made[0].ras(np.argwhere(made[1] & made[0].mask("vertebrae_L5")))
    new = replace(made[0], table={**body.table, "vertebrae_L6": max(body.table.values()) + 1})
    fault = _uncertain(new, "lumbar_vertebra_sixth", "vertebrae_L5", sixth.mean(axis=0))
    return replace(fault, others=("vertebrae_L6",))


def one_lumbar_less(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    if not body.is_whole("vertebrae_L5") or not body.is_whole("vertebrae_L4"):
        return None
    middle = (body.centre("vertebrae_L4") + body.centre("vertebrae_L5")) / 2
    return _uncertain(four_lumbar(body), "lumbar_vertebra_less", "vertebrae_L4", middle)


def no_t12(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """From T12 on the numbers are one too high, and no rib is there to tell: L1 follows T11."""
    names = body.present(VERTEBRAE)
    if names[-1] == VERTEBRAE[-1] or not all(
        body.is_whole(f"vertebrae_{name}") for name in ("T10", "T11", "T12", "L1")
    ):
        return None
    middle = (body.centre("vertebrae_T11") + body.centre("vertebrae_T12")) / 2
    lower = names[names.index("vertebrae_T12") :]
    new = body.renamed(shifted(lower, 1, VERTEBRAE)).without_ribs()
    return _uncertain(new, "numbering_uncertain", "vertebrae_T12", middle)


def one_pair_of_ribs_less(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Counted from below; the flag points to the first of the vertebrae to which ribs do not fit."""
    first = body.present(VERTEBRAE)[0]
    thoracic = body.whole([name for name in VERTEBRAE if name.startswith("vertebrae_T")])
    if len(thoracic) < _FEWEST_PAIRS + 1:
        return None
    new = eleven_pairs_numbered_from_below(body)
    return _uncertain(new, "vertebrae_or_ribs_misnumbered", first, body.centre(first))


def one_pair_of_ribs_more(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Both lowest ribs of a side are named 12."""
    new = thirteen_pairs_two_named_12(body)
    name = RIBS[SIDES[0]][-1]
    if new is None or not body.is_whole(name) or not new.is_whole(name):
        return None
    return _uncertain(new, "rib_thirteenth", name, new.ras(np.argwhere(new.mask(name) & ~body.mask(name))).mean(axis=0))


FAULTS = {
    plant.__name__: plant
    for plant in (
        one_lumbar_more,
        one_lumbar_more_that_has_a_name,
        one_lumbar_less,
        no_t12,
        one_pair_of_ribs_less,
        one_pair_of_ribs_more,
    )
}
