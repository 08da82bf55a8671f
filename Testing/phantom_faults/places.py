"""Structures on the wrong side or at the wrong place, and whole results that are mirrored. Each function draws one
fault, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.plant import Plant, drawn


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


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (swapped_sides,)}
