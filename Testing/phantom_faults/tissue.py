"""Holes, CT numbers that a tissue cannot have, metal, and disagreement with a coarser model. Each function draws one
fault, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.plant import Plant, deepest, distance_mm, drawn

_SOLID = (
    "liver",
    "spleen",
    "kidney_left",
    "kidney_right",
    "brain",
    "urinary_bladder",
    "gluteus_maximus_left",
    "hip_right",
)


def hole(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A ball of 8 to 12 mm radius in a structure that has room for it."""
    radius = rng.uniform(8, 12)
    fitting = []
    for name in _SOLID:
        if body.mask(name).any():
            place, depth = deepest(body, name)
            if depth > radius + 1.5 * np.linalg.norm(body.ijk_to_ras[:3, :3], axis=0).max():
                fitting.append((name, place))
    if not fitting:
        return None
    name, place = fitting[int(rng.integers(len(fitting)))]
    gone = body.ball(place, radius) & body.mask(name)
    return PlantedFault(body.painted(gone, None), "holes", name, Level.CHECK, tuple(place))


def wrong_tissue(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """An organ of air or fat, a lung lobe of soft tissue."""
    wrong = {
        "liver": -500,
        "spleen": -700,
        "kidney_left": -110,
        "lung_lower_lobe_left": 40,
        "lung_upper_lobe_right": 60,
    }
    name = drawn([each for each in wrong if body.mask(each).sum() * body.voxel_ml > 20], rng)
    if name is None:
        return None
    ct = body.ct.copy()
    ct[body.mask(name)] = wrong[name]
    points = body.points(name)
    place = points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    return PlantedFault(body.with_ct(ct), "mean_hu", name, Level.CHECK, tuple(place))


def metal(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A bar of metal across a vertebra or a femur; the place is the metal's middle."""
    names = [
        name
        for name in ("vertebrae_L2", "vertebrae_L4", "vertebrae_T8", "femur_left", "femur_right")
        if body.mask(name).any()
    ]
    name = drawn(names, rng)
    if name is None:
        return None
    points = body.points(name)
    place = points[np.argmin(np.linalg.norm(points - points.mean(axis=0), axis=1))]
    ct = body.ct.copy()
    ct[body.ball(place, 7)] = 3071
    return PlantedFault(body.with_ct(ct), "metal", name, Level.CHECK, tuple(place))


def second_opinion(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A ball of 14 to 18 mm that only the finer model has, well apart from the structure."""
    name = drawn(
        [each for each in ("liver", "spleen", "stomach", "aorta", "urinary_bladder") if body.mask(each).any()], rng
    )
    if name is None:
        return None
    radius = rng.uniform(14, 18)
    border = np.ones(body.labels.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    room = (
        (body.labels == 0) & (distance_mm(body, body.mask(name)) > radius + 10) & (distance_mm(body, border) > radius)
    )
    if not room.any():
        return None
    places = np.argwhere(room)
    added = body.ball(body.ras(places[int(rng.integers(len(places)))]), radius) & (body.labels == 0)
    volume = added.sum() * body.voxel_ml
    if volume < max(1.0, 0.015 * body.mask(name).sum() * body.voxel_ml):
        return None
    new = body.painted(added, name).with_coarse(body.labels)
    return PlantedFault(new, "second_opinion", name, Level.CHECK, tuple(body.ras(np.argwhere(added)).mean(axis=0)))


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (hole, wrong_tissue, metal, second_opinion)}
