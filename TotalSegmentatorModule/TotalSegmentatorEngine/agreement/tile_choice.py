"""Chooses the tiles that are computed exactly again: by chance, but where they tell something.

Tiles are drawn with probability proportional to a size, systematically and without replacement (Madow, Annals of
Mathematical Statistics 20, 1949). The size counts the voxels at boundaries of the approximate labels, where labels can
differ, so that tiles without structures are rarely drawn; the known probabilities make the estimate unbiased again
(Horvitz and Thompson, Journal of the American Statistical Association 47, 1952). The same CT draws the same tiles.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

FEWEST_TILES = 2
SHARE_OF_TILES = 0.03
"""So many of the tiles of the exact run are computed again, at least FEWEST_TILES."""

TISSUE_SHARE = 0.1
"""Of the sizes of all tiles, beside the voxels at boundaries."""

STRATA = INSIDE, ACROSS, OUTSIDE = "inside", "across", "outside"
"""Where a tile lies: within the region in which the approximate run ran its network, across the region's border, or
outside. Of each kind that there is, at least one is drawn."""


@dataclass(frozen=True)
class Candidate:
    """A tile that may be drawn."""

    stratum: str
    """INSIDE, ACROSS or OUTSIDE."""
    size: float
    """More than 0."""


@dataclass(frozen=True)
class Drawn:
    """A tile that was drawn: its place among the candidates, and the probability with which it was."""

    number: int
    probability: float


def tile_count(of_tiles: int, is_in_regions: bool = False) -> int:
    """How many of the exact run's tiles are computed again. ``is_in_regions``: the approximate run did not cover the
    whole image, and each stratum wants a tile."""
    fewest = len(STRATA) if is_in_regions else FEWEST_TILES
    return min(of_tiles, max(fewest, math.ceil(SHARE_OF_TILES * of_tiles)))


def sizes_of(boundaries: Sequence[float], tissues: Sequence[float]) -> list[float]:
    """The sizes of tiles with so many voxels at boundaries of the approximate labels, and of tissue.

    Tissue makes TISSUE_SHARE of all: so that tiles without any structure, in which the exact labels may have one, are
    drawn now and then, and those in the air hardly ever.
    """
    all_tissue = max(sum(tissues), 1.0)
    of_tissue = TISSUE_SHARE * max(sum(boundaries), 1.0)
    return [
        boundary + of_tissue * (tissue + 1.0) / all_tissue for boundary, tissue in zip(boundaries, tissues, strict=True)
    ]


def draw(candidates: Sequence[Candidate], count: int, seed: str) -> list[Drawn]:
    """``count`` of the candidates, or as many as there are strata if these are more; the same for the same ``seed``."""
    chance = random.Random(seed)
    strata: dict[str, list[int]] = {}
    for number, candidate in enumerate(candidates):
        strata.setdefault(candidate.stratum, []).append(number)
    shares = _allocated({name: _size(candidates, numbers) for name, numbers in strata.items()}, strata, count)
    drawn = [
        each
        for name, numbers in strata.items()
        for each in _systematic([(number, candidates[number].size) for number in numbers], shares[name], chance)
    ]
    return sorted(drawn, key=lambda each: each.number)


def _size(candidates: Sequence[Candidate], numbers: Sequence[int]) -> float:
    return sum(candidates[number].size for number in numbers)


def _allocated(sizes: Mapping[str, float], strata: Mapping[str, Sequence[int]], count: int) -> dict[str, int]:
    """How many tiles of each stratum: one, and the rest where the most size for each drawn tile is."""
    shares = dict.fromkeys(strata, 1)
    for _ in range(count - len(shares)):
        open_strata = [name for name in strata if shares[name] < len(strata[name])]
        if not open_strata:
            break
        largest = max(open_strata, key=lambda name: sizes[name] / shares[name])
        shares[largest] += 1
    return shares


def _systematic(sizes: Sequence[tuple[int, float]], count: int, chance: random.Random) -> list[Drawn]:
    """Those whose share of the sum is larger than one draw's are drawn for certain."""
    certain: list[Drawn] = []
    left = list(sizes)
    while left and count:
        step = sum(size for _, size in left) / count
        large = [number for number, size in left if size >= step]
        if not large:
            break
        certain += [Drawn(number, 1.0) for number in large]
        left = [(number, size) for number, size in left if size < step]
        count -= len(large)
    if not left or count <= 0:
        return certain
    step = sum(size for _, size in left) / count
    at, passed, drawn = chance.random() * step, 0.0, []
    for number, size in left:
        passed += size
        if at < passed and len(drawn) < count:
            drawn.append(Drawn(number, size / step))
            at += step
    return certain + drawn
