"""Structures that the scan cuts, at its ends and at its sides. Each function draws one, or gives None where the map has
no place for it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label as connected
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.plant import Plant, drawn


def at_the_border(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """The map ends within a structure, along any axis."""
    name = drawn(
        [
            each
            for each in ("liver", "spleen", "heart_atrium_left", "kidney_left", "brain", "femur_left", "hip_left")
            if body.is_whole(each)
        ],
        rng,
    )
    if name is None:
        return None
    axis, indices = int(rng.integers(3)), body.indices(name)
    low, high = indices[:, axis].min(), indices[:, axis].max()
    at = int(rng.integers(low + 1, high)) if high > low + 1 else low
    part = [slice(None)] * 3
    part[axis] = slice(0, at + 1)
    new = body.cropped(tuple(part))
    face = np.zeros(new.labels.shape, bool)
    part[axis] = slice(at, at + 1)
    face[tuple(part)] = new.mask(name)[tuple(part)]
    parts, _count = connected(face, np.ones((3, 3, 3)))
    points = new.ras(np.argwhere(parts == np.argmax(np.bincount(parts.ravel())[1:]) + 1))
    place = points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    return PlantedFault(new, "cut_by_scan", name, Level.CUT, tuple(place))


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (at_the_border,)}
