"""Structures in too many pieces. Each function draws one fault, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label as connected
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import LabelMap, PlantedFault
from phantom_faults.plant import Plant, along, as_mask, distance_mm, drawn

ORGANS = ("liver", "spleen", "kidney_left", "kidney_right", "stomach", "urinary_bladder", "brain")
BONES = ("hip_left", "hip_right", "sacrum", "femur_left", "femur_right", "scapula_left", "clavicula_right")
_TOUCHING = np.ones((3, 3, 3))


def island(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A ball of 1 to 4 ml far from its structure."""
    name = drawn([each for each in (*ORGANS, *BONES) if body.is_whole(each) and _count(body.mask(each)) == 1], rng)
    if name is None:
        return None
    radius = (rng.uniform(1.0, 4.0) * 1000 * 3 / (4 * np.pi)) ** (1 / 3)
    inside = np.ones(body.labels.shape, bool)
    border = distance_mm(body, ~np.pad(inside, 1)[1:-1, 1:-1, 1:-1] | _border(body))
    room = np.argwhere((distance_mm(body, body.mask(name)) > radius + 15) & (body.labels == 0) & (border > radius + 8))
    if not len(room):
        return None
    centre = body.ras(room[int(rng.integers(len(room)))])
    added = body.ball(centre, radius) & (body.labels == 0)
    is_fit = added.sum() * body.voxel_ml >= 0.6 and added.sum() < 0.08 * body.mask(name).sum()
    if not is_fit or _count(added) != 1:
        return None
    return PlantedFault(
        body.painted(added, name), "islands", name, Level.CHECK, tuple(body.ras(np.argwhere(added)).mean(axis=0))
    )


def divided(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """An organ that a missing slab cuts into two large parts; the place is the smaller one."""
    names = [each for each in ("liver", "spleen", "kidney_left", "kidney_right") if body.is_whole(each)]
    name = drawn([each for each in names if _count(body.mask(each)) == 1], rng)
    if name is None:
        return None
    indices, points = body.indices(name), body.points(name)
    position = along(points)
    start = np.quantile(position, rng.uniform(0.3, 0.55))
    lost = (position >= start) & (position <= start + rng.uniform(12, 20))
    new = body.painted(as_mask(body, indices[lost]), None)
    parts, count = connected(new.mask(name), _TOUCHING)
    sizes = np.bincount(parts.ravel())[1:]
    if count != 2 or sizes.min() < 0.15 * sizes.sum():
        return None
    smaller = np.argwhere(parts == np.argmin(sizes) + 1)
    return PlantedFault(new, "divided", name, Level.CHECK, tuple(body.ras(smaller).mean(axis=0)))


def tube_gap(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A piece of 15 to 40 mm is missing from a tube."""
    levels = {
        "aorta": Level.WRONG,
        "esophagus": Level.WRONG,
        "iliac_artery_left": Level.CHECK,
        "iliac_artery_right": Level.CHECK,
    }
    name = drawn([each for each in levels if body.mask(each).any() and _count(body.mask(each)) == 1], rng)
    if name is None:
        return None
    indices, points = body.indices(name), body.points(name)
    height = points[:, 2]
    length = np.ptp(height)
    gap = rng.uniform(15, 40)
    if length < gap + 50:
        return None
    start = height.min() + rng.uniform(25, length - gap - 25)
    lost = (height >= start) & (height <= start + gap)
    gone = as_mask(body, indices[lost])
    new = body.painted(gone, None)
    if _count(new.mask(name)) != 2 or _count(gone) != 1:
        return None
    return PlantedFault(new, "tube_gap", name, levels[name], tuple(points[lost].mean(axis=0)))


def _count(mask: np.ndarray) -> int:
    return int(connected(mask, _TOUCHING)[1])


def _border(body: LabelMap) -> np.ndarray:
    border = np.ones(body.labels.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    return border


FAULTS: dict[str, Plant] = {plant.__name__: plant for plant in (island, divided, tube_gap)}
