"""Structures of an unlikely size. Each function draws one fault, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.plant import Plant, along, as_mask, depth_mm, distance_mm, drawn

_TOO_LARGE_ML = {"spleen": 500.0, "pancreas": 190.0}
_TOO_SMALL_ML = {"liver": 450.0, "brain": 600.0}


def too_large(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Grown into whatever is around it."""
    name = drawn([each for each in _TOO_LARGE_ML if body.is_whole(each)], rng)
    if name is None:
        return None
    voxels = round(_TOO_LARGE_ML[name] / body.voxel_ml)
    distance = distance_mm(body, body.mask(name))
    new = body.painted(distance <= np.partition(distance.ravel(), voxels)[voxels], name)
    if not new.is_whole(name):
        return None
    return PlantedFault(new, "volume", name, Level.CHECK, _middle(new, name))


def too_small(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Only its core is left."""
    name = drawn([each for each in _TOO_SMALL_ML if body.is_whole(each)], rng)
    if name is None:
        return None
    depth = depth_mm(body, body.mask(name))
    voxels = round(_TOO_SMALL_ML[name] / body.voxel_ml)
    kept = depth >= np.sort(depth.ravel())[-voxels]
    return PlantedFault(
        body.painted(body.mask(name) & ~kept, None),
        "volume",
        name,
        Level.CHECK,
        _middle(body.painted(body.mask(name) & ~kept, None), name),
    )


def half_lost(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """One of a pair without half of itself."""
    pairs = [
        stem
        for stem in ("kidney", "hip", "gluteus_medius", "scapula", "clavicula")
        if all(body.is_whole(f"{stem}_{side}") for side in ("left", "right"))
    ]
    stem = drawn(pairs, rng)
    if stem is None:
        return None
    name = f"{stem}_{rng.choice(['left', 'right'])}"
    points, indices = body.points(name), body.indices(name)
    position = along(points) * rng.choice([-1, 1])
    lost = position > np.quantile(position, 0.42)
    new = body.painted(as_mask(body, indices[lost]), None)
    return PlantedFault(new, "asymmetry", name, Level.CHECK, tuple(points[lost].mean(axis=0)), region=points[lost])


def lobe_share(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Most of the middle lobe is called upper lobe, or the other way round."""
    lobes = [
        f"lung_{part}_lobe_{side}"
        for part, side in (
            ("upper", "left"),
            ("lower", "left"),
            ("upper", "right"),
            ("middle", "right"),
            ("lower", "right"),
        )
    ]
    if not all(body.is_whole(each) for each in lobes):
        return None
    name, other = "lung_middle_lobe_right", "lung_upper_lobe_right"
    points, indices = body.points(name), body.indices(name)
    position = along(points)
    lost = position > np.quantile(position, rng.uniform(0.12, 0.25))
    new = body.painted(as_mask(body, indices[lost]), other)
    return PlantedFault(new, "lung_share", name, Level.CHECK, _middle(new, name))


def _middle(body: LabelMap, name: str) -> tuple[float, ...]:
    """The structure's voxel nearest to its centre."""
    points = body.points(name)
    return tuple(points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))])


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (too_large, too_small, half_lost, lobe_share)}
