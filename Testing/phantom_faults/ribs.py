"""Faults of ribs. Each function draws one, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label as connected
from scipy.spatial import cKDTree
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import RIBS, SIDES, LabelMap, PlantedFault, shifted
from phantom_faults.plant import Plant, as_mask

_TOUCHING = np.ones((3, 3, 3))


def _drawn_side(rng: np.random.Generator) -> str:
    return str(rng.choice(SIDES))


def _begins(body: LabelMap, name: str) -> bool:
    """Whether its head is in the map: the vertebra of its number is there, whole."""
    return bool(body.mask(name).any()) and body.is_whole("vertebrae_T" + name.rpartition("_")[2])


def swapped(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    names = [name for name in RIBS[_drawn_side(rng)] if _begins(body, name)]
    if len(names) < 4:
        return None
    first = int(rng.integers(len(names) - 1))
    upper, lower = names[first : first + 2]
    new = body.renamed({upper: lower, lower: upper})
    return PlantedFault(new, "ribs_swapped", upper, Level.WRONG, tuple(new.centre(upper)), (lower,))


def double(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A rib bears its neighbour's name."""
    names = [name for name in RIBS[_drawn_side(rng)][1:11] if _begins(body, name) and body.is_whole(name)]
    if len(names) < 4:
        return None
    first = int(rng.integers(len(names) - 1))
    kept, renamed = names[first : first + 2] if rng.random() < 0.5 else names[first : first + 2][::-1]
    place = tuple(body.centre(renamed))
    return PlantedFault(body.renamed({renamed: kept}), "rib_double", kept, Level.WRONG, place, (renamed,))


def back_named_otherwise(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """The back part of a rib bears the name of one further down: both names have a rib."""
    names = [name for name in RIBS[_drawn_side(rng)][1:11] if _begins(body, name) and body.is_whole(name)]
    if len(names) < 4:
        return None
    first = int(rng.integers(len(names) - 2))
    owner, other = names[first], names[first + 2]
    points, indices = body.points(owner), body.indices(owner)
    forward = np.linalg.norm(points - body.centre("vertebrae_T" + owner.rpartition("_")[2]), axis=1)
    back = forward <= np.quantile(forward, rng.uniform(0.45, 0.6))
    renamed = as_mask(body, indices[back])
    new = body.painted(renamed, other)
    if connected(renamed, _TOUCHING)[1] != 1 or connected(new.mask(other), _TOUCHING)[1] != 2:
        return None
    return PlantedFault(
        new, "rib_double_unplaced", other, Level.WRONG, tuple(points[back].mean(axis=0)), (), region=points[back]
    )


def misnumbered(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """From one rib of a side on, those below it bear the name of the one above them; the first of them is lost."""
    side = _drawn_side(rng)
    names = [name for name in RIBS[side] if _begins(body, name)]
    if len(names) < 5:
        return None
    first = int(rng.integers(1, len(names) - 2))
    last = int(rng.integers(first + 1, len(names)))
    moved = names[first + 1 : last + 1]
    new = body.renamed({names[first]: None} | shifted(moved, -1, RIBS[side]))
    structure = names[first]
    points = new.points(structure)
    head = points[np.linalg.norm(points - new.centre("vertebrae_T" + moved[0].rpartition("_")[2]), axis=1).argmin()]
    return PlantedFault(new, "ribs_misnumbered", structure, Level.WRONG, tuple(head))


def unlike_heads(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """The left rib begins more than half a vertebra above or below the right one."""
    names = [
        name for name in RIBS["left"][1:11] if _begins(body, name) and body.mask(name.replace("left", "right")).any()
    ]
    if not names:
        return None
    name = names[int(rng.integers(len(names)))]
    number = int(name.rpartition("_")[2])
    down = body.centre(f"vertebrae_T{number}") - body.centre(f"vertebrae_T{number - 1}")
    new = body.moved(name, down * 0.62 * rng.choice([-1, 1]))
    points = new.points(name)
    head = points[np.linalg.norm(points - body.centre(f"vertebrae_T{number}"), axis=1).argmin()]
    return PlantedFault(new, "rib_heads_unlike", name, Level.CHECK, tuple(head))


def asymmetric(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A rib without its front, a third of it."""
    side = _drawn_side(rng)
    other = SIDES[1 - SIDES.index(side)]
    names = [
        name
        for name in RIBS[side][:11]
        if _begins(body, name) and body.is_whole(name) and body.is_whole(name.replace(side, other))
    ]
    if not names:
        return None
    name = names[int(rng.integers(len(names)))]
    points, indices = body.points(name), body.indices(name)
    forward = np.linalg.norm(points - body.centre("vertebrae_T" + name.rpartition("_")[2]), axis=1)
    lost = forward > np.quantile(forward, 0.67)
    mask = np.zeros(body.labels.shape, bool)
    mask[tuple(indices[lost].T)] = True
    new = body.painted(mask, None)
    return PlantedFault(new, "rib_asymmetry", name, Level.CHECK, tuple(points[lost].mean(axis=0)))


def below_the_last_thoracic(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A rib 12 that begins at L1, for which there is no name."""
    name = RIBS[_drawn_side(rng)][-1]
    if not body.is_whole(name) or not body.is_whole("vertebrae_T12") or not body.is_whole("vertebrae_L1"):
        return None
    new = body.moved(name, body.centre("vertebrae_L1") - body.centre("vertebrae_T12"))
    points = new.points(name)
    distances = cKDTree(body.points("vertebrae_L1")).query(points)[0]
    head = points[distances <= distances.min() + 5].mean(axis=0)
    return PlantedFault(new, "rib_at_other_vertebra", name, Level.CHECK, tuple(head))


FAULTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        swapped,
        double,
        back_named_otherwise,
        misnumbered,
        unlike_heads,
        asymmetric,
        below_the_last_thoracic,
    )
}
