"""Faults of vertebrae. Each function draws one, or gives None where the map has no place for it."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label as connected
from TotalSegmentatorWire.messages.review import Level

from phantom_faults.label_map import VERTEBRAE, LabelMap, PlantedFault, shifted
from phantom_faults.plant import Plant

_TOUCHING = np.ones((3, 3, 3))


def swapped(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Neighbours, or two that lie up to four apart."""
    names = body.whole(VERTEBRAE)
    apart = int(rng.choice([1, 1, 2, 4]))
    if len(names) < apart + 3:
        return None
    first = int(rng.integers(len(names) - apart))
    upper, lower = names[first], names[first + apart]
    new = body.renamed({upper: lower, lower: upper})
    return PlantedFault(new, "vertebrae_swapped", upper, Level.WRONG, tuple(new.centre(upper)), (lower,))


def out_of_order(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A vertebra bears the name of a far one, which is lost."""
    names = body.whole(VERTEBRAE)
    if len(names) < 8:
        return None
    lost, bone = (names[i] for i in sorted(rng.choice([1, len(names) - 2], 2, replace=False) + rng.integers(-1, 2, 2)))
    if rng.random() < 0.5:
        lost, bone = bone, lost
    new = body.renamed({lost: None, bone: lost})
    return PlantedFault(new, "vertebra_out_of_order", lost, Level.WRONG, tuple(new.centre(lost)))


def double(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A vertebra bears its neighbour's name: as a second bone, or joined to it."""
    names = [name for name in body.whole(VERTEBRAE) if name not in VERTEBRAE[:3]]
    if len(names) < 5:
        return None
    first = int(rng.integers(1, len(names) - 2))
    pair = (names[first], names[first + 1])
    kept, renamed = pair if rng.random() < 0.5 else pair[::-1]
    place = tuple(body.centre(renamed))
    new = body.renamed({renamed: kept})
    joined = connected(new.mask(kept), _TOUCHING)[1] == 1
    if joined:
        return PlantedFault(new, "vertebra_spans_two", kept, Level.WRONG, tuple(new.centre(kept)), (renamed,))
    return PlantedFault(new, "vertebra_double", kept, Level.WRONG, place, (renamed,))


def half_named_otherwise(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """The left or right half of a vertebra bears the name of one further away: both names have a bone."""
    names = [name for name in body.whole(VERTEBRAE) if name not in VERTEBRAE[:3]]
    if len(names) < 6:
        return None
    first = int(rng.integers(1, len(names) - 4))
    apart = int(rng.integers(2, 4))
    owner, other = names[first], names[min(first + apart, len(names) - 2)]
    points, indices = body.points(owner), body.indices(owner)
    half = (points[:, 0] - points[:, 0].mean()) * rng.choice([-1, 1]) > 0
    renamed = np.zeros(body.labels.shape, bool)
    renamed[tuple(indices[half].T)] = True
    new = body.painted(renamed, other)
    is_large = renamed.sum() >= 0.3 * body.mask(other).sum()  # a smaller one is no half of a vertebra beside it
    if not is_large or connected(renamed, _TOUCHING)[1] != 1 or connected(new.mask(other), _TOUCHING)[1] != 2:
        return None
    place = tuple(points[half].mean(axis=0))
    return PlantedFault(new, "vertebra_double_unplaced", other, Level.WRONG, place, ())


def joined(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """Two vertebrae under one name, and a bridge between them."""
    names = [name for name in body.whole(VERTEBRAE) if name not in VERTEBRAE[:3]]
    if len(names) < 5:
        return None
    first = int(rng.integers(1, len(names) - 2))
    kept, renamed = names[first], names[first + 1]
    start, end = body.centre(kept), body.centre(renamed)
    steps = np.linspace(start, end, 40)
    ijk = np.rint((steps - body.ijk_to_ras[:3, 3]) @ np.linalg.inv(body.ijk_to_ras[:3, :3]).T).astype(int)
    new = body.renamed({renamed: kept})
    bridge = np.zeros(new.labels.shape, bool)
    for shift in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)):
        bridge[tuple((ijk[:, ::-1] + shift).T)] = True
    new = new.painted(bridge, kept)
    return PlantedFault(new, "vertebra_spans_two", kept, Level.WRONG, tuple(new.centre(kept)), (renamed,))


def skipped(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """From one vertebra on all numbers are one too high, and no rib is there to tell."""
    names = body.present(VERTEBRAE)
    inner = [name for name in body.whole(VERTEBRAE)[2:-2] if name not in ("vertebrae_T12", *VERTEBRAE[:3])]
    if names[-1] == VERTEBRAE[-1] or not inner:
        return None
    start = inner[int(rng.integers(len(inner)))]
    above = names[names.index(start) - 1]
    place = (body.centre(start) + body.centre(above)) / 2
    new = body.renamed(shifted(names[names.index(start) :], 1, VERTEBRAE)).without_ribs()
    return PlantedFault(new, "vertebra_skipped", start, Level.WRONG, tuple(place))


def gap(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A vertebra has no name, and those below it are numbered as if it were not there."""
    names = body.present(VERTEBRAE)
    inner = [name for name in body.whole(VERTEBRAE)[2:-2] if name not in VERTEBRAE[:3]]
    if not inner:
        return None
    nameless = inner[int(rng.integers(len(inner)))]
    above = VERTEBRAE[VERTEBRAE.index(nameless) - 1]
    below = names[names.index(nameless) + 1]
    place = (body.centre(above) + body.centre(below)) / 2
    new = body.renamed({nameless: None} | shifted(names[names.index(nameless) + 1 :], -1, VERTEBRAE)).without_ribs()
    return PlantedFault(new, "vertebra_gap", above, Level.WRONG, tuple(place), (nameless,))


def odd_distance(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A vertebra moved along the spine by more than half the distance of its neighbours."""
    names = [name for name in body.whole(VERTEBRAE)[2:-2] if name not in VERTEBRAE[:4]]
    if len(names) < 3:
        return None
    name = names[int(rng.integers(1, len(names) - 1))]
    towards = VERTEBRAE[VERTEBRAE.index(name) + int(rng.choice([-1, 1]))]
    new = body.moved(name, 0.58 * (body.centre(towards) - body.centre(name)))
    return PlantedFault(new, "vertebra_spacing", name, Level.CHECK, tuple(new.centre(name)))


def odd_volume(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A vertebra that lost three fifths of its voxels, those furthest from its middle."""
    names = [name for name in body.whole(VERTEBRAE)[1:-1] if name not in VERTEBRAE[:3]]
    if len(names) < 3:
        return None
    name = names[int(rng.integers(len(names)))]
    indices, points = body.indices(name), body.points(name)
    distances = np.linalg.norm(points - points.mean(axis=0), axis=1)
    lost = np.zeros(body.labels.shape, bool)
    lost[tuple(indices[distances > np.quantile(distances, 0.4)].T)] = True
    new = body.painted(lost, None)
    return PlantedFault(new, "vertebra_volume", name, Level.CHECK, tuple(new.centre(name)))


def piece_at_neighbour(body: LabelMap, rng: np.random.Generator) -> PlantedFault | None:
    """A process of a vertebra bears its neighbour's name."""
    names = body.whole(VERTEBRAE)
    order = rng.permutation(len(names) - 1)
    for first in order:
        owner, other = names[first], names[first + 1]
        if owner in VERTEBRAE[:3]:
            continue
        points, indices = body.points(owner), body.indices(owner)
        sideways = (points - points.mean(axis=0))[:, 0] * rng.choice([-1, 1])
        some = sideways > np.quantile(sideways, 0.85)
        mask = np.zeros(body.labels.shape, bool)
        mask[tuple(indices[some].T)] = True
        new = body.painted(mask, other)
        parts, count = connected(new.mask(other), _TOUCHING)
        of_mask = np.unique(parts[mask])
        if (
            count == 2
            and len(of_mask) == 1
            and (parts == of_mask[0]).sum() == some.sum()
            and some.sum() * body.voxel_ml > 1.2
        ):
            return PlantedFault(new, "vertebra_piece", other, Level.WRONG, tuple(points[some].mean(axis=0)), (owner,))
    return None


FAULTS: dict[str, Plant] = {
    plant.__name__: plant
    for plant in (
        swapped,
        out_of_order,
        double,
        half_named_otherwise,
        joined,
        skipped,
        gap,
        odd_distance,
        odd_volume,
        piece_at_neighbour,
    )
}
