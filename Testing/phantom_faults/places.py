"""Structures on the wrong side or at the wrong place, and whole results that are mirrored. Each function draws one
fault, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import VERTEBRAE, LabelMap, PlantedFault
from phantom_faults.plant import Plant, drawn

_BESIDE_MM = 70.0
"""An organ nearer to the middle lies about as it should when it is mirrored, as may a gallbladder."""


def swapped_sides(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    stems = [
        stem
        for stem in ("kidney", "adrenal_gland", "hip", "gluteus_medius", "scapula", "humerus", "femur")
        if body.mask(f"{stem}_left").any() and body.mask(f"{stem}_right").any()
    ]
    stem = drawn(stems, rng)
    if stem is None:
        return None
    left, right = f"{stem}_left", f"{stem}_right"
    new = body.renamed({left: right, right: left})
    points = new.points(left)
    place = points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    return PlantedFault(new, "wrong_side", left, Level.WRONG, tuple(place))


def misplaced(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """An organ that has no partner lies where its mirror image would."""
    away = {
        name: body.centre(name) - _spine_at(body, body.centre(name)[2])
        for name in ("spleen", "stomach")
        if body.is_whole(name)
    }
    name = drawn([each for each, offset in away.items() if abs(offset[0]) > _BESIDE_MM], rng)
    if name is None:
        return None
    new = body.moved(name, np.array([-2 * away[name][0], 0.0, 0.0]))
    if not new.is_whole(name) or new.mask(name).sum() != body.mask(name).sum():
        return None
    points = new.points(name)
    place = points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    return PlantedFault(new, "misplaced", name, Level.WRONG, tuple(place))


def _spine_at(body: LabelMap, height: float) -> np.ndarray:
    """The centre of the vertebra that lies nearest to this height."""
    centres = [body.centre(name) for name in body.present(VERTEBRAE)]
    return min(centres, key=lambda centre: abs(centre[2] - height))


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (swapped_sides, misplaced)}
