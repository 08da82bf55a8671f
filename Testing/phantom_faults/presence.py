"""Structures that are missing. Each function draws one fault, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import RIBS, SIDES, VERTEBRAE, LabelMap, PlantedFault
from phantom_faults.plant import Plant, drawn


def between(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A vertebra between two whole ones, or a rib of the middle of the chest."""
    names = [
        VERTEBRAE[n]
        for n in range(2, len(VERTEBRAE) - 1)
        if all(body.is_whole(VERTEBRAE[each]) for each in (n - 1, n, n + 1))
    ]
    names += [
        RIBS[side][n]
        for side in SIDES
        for n in range(2, 10)
        if all(body.is_whole(RIBS[side][each]) for each in (n - 1, n, n + 1))
    ]
    name = drawn(names, rng)
    if name is None:
        return None
    level = Level.WRONG
    return PlantedFault(body.renamed({name: None}), "missing_between", name, level, _place_between(body, name))


def _place_between(body: LabelMap, name: str) -> tuple[float, ...]:
    """Half-way between its neighbours: nobody knows more of what is missing."""
    order = next(each for each in (VERTEBRAE, *RIBS.values()) if name in each)
    number = order.index(name)
    return tuple((body.centre(order[number - 1]) + body.centre(order[number + 1])) / 2)


def partner(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """One of a pair of bones whose other one is whole: of organs, which lie less evenly, nobody knows the place."""
    levels = {"hip": Level.WRONG, "scapula": Level.WRONG, "clavicula": Level.WRONG}
    names = [
        f"{stem}_{side}"
        for stem in levels
        for side in SIDES
        if body.is_whole(f"{stem}_left") and body.is_whole(f"{stem}_right")
    ]
    name = drawn(names, rng)
    if name is None:
        return None
    level = levels[name.rpartition("_")[0]]
    new, place = body.renamed({name: None}), tuple(body.centre(name))
    return PlantedFault(new, "missing_partner", name, level, place, alike=("missing_between",))


def seen_by_coarse(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Of more than 10 ml, so that the coarse model cannot be mistaken."""
    names = [
        name
        for name in ("liver", "spleen", "stomach", "urinary_bladder", "pancreas", "aorta", "heart_atrium_left")
        if body.is_whole(name) and body.mask(name).sum() * body.voxel_ml > 12
    ]
    name = drawn(names, rng)
    if name is None:
        return None
    new = body.renamed({name: None})
    place = tuple(body.centre(name))
    return PlantedFault(new.with_coarse(body.labels), "missing_but_seen", name, Level.WRONG, place)


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (between, partner, seen_by_coarse)}
