"""The agreement of the whole image, estimated from the cells that were computed exactly again.

What differs in a drawn cell counts 1 / probability times (Horvitz and Thompson), which makes the sum over the image
unbiased whatever the sizes were by which tiles were drawn. How far it may be off has three sources:

- What differs comes in patches. Each block of a cell (tile_counts.BLOCK) counts as one event of its size, so that the
  variance is the sum of the squares (a compound Poisson process).
- Tiles differ in their level. Two tiles say next to nothing of how much, so a level of spread that was measured over
  whole exact runs (TILE_SPREAD) counts as much as PRIOR_FREEDOM further tiles would: the usual estimate of a variance
  with a scaled inverse chi-squared prior (Gelman et al., Bayesian Data Analysis, 3rd edition, section 2.6).
- A tile by itself is not what overlapping tiles give together (BLENDING_SPREAD).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.messages.agreement import Share

from TotalSegmentatorEngine.agreement.intervals import CONFIDENCE, share_interval
from TotalSegmentatorEngine.agreement.tile_counts import CellCounts

TILE_SPREAD = 0.5
"""Standard deviation, over the tiles of an image, of what differs for each unit of a tile's size, by its mean. Measured
over whole exact runs of a network fitted to a real CT: 0.15 to 0.4."""
CUT_TILE_SPREAD = 0.9
"""Likewise where networks ran over regions alone, whose borders may cut structures: 0.5 to 1.0."""
PRIOR_FREEDOM = 8.0
"""Tiles as many as which TILE_SPREAD counts."""
BLENDING_SPREAD = 0.2
"""Standard error, by the estimate, of taking tiles by themselves: by a tenth to a fifth more voxels differ than in
blended labels (the same benchmark)."""
PATCH = 8
"""Voxels that differ together at least: where none differ, or a structure is small."""
FEWEST_VOXELS = 300
"""Of a structure in the drawn cells, below which nothing is said of it."""


@dataclass(frozen=True, eq=False)
class SampledCell:
    """A drawn cell."""

    counts: CellCounts
    probability: float
    """With which it was drawn."""
    stratum: str
    """Within which."""

    @property
    def weight(self) -> float:
        return 1.0 / self.probability

    @property
    def different(self) -> float:
        """Voxels, by its weight."""
        return self.weight * float(self.counts.different.sum())


@dataclass(frozen=True)
class Population:
    """All cells of the exact run."""

    voxels: int
    approximate_foreground: int
    """Voxels to which the approximate labels give a structure."""
    tile_spread: float = TILE_SPREAD


@dataclass(frozen=True)
class Estimate:
    """Of the share of voxels with their exact label."""

    voxels: Share
    foreground: Share
    lowest_structure: str
    lowest: Share | None


def estimated(cells: Sequence[SampledCell], population: Population) -> Estimate:
    """From at least one cell."""
    different = sum(cell.different for cell in cells)
    only_exact = sum(
        cell.weight * (float(cell.counts.foreground.sum()) - cell.counts.approximate_foreground) for cell in cells
    )
    foreground = population.approximate_foreground + only_exact
    variation, freedom = _variation(cells, population.tile_spread)
    seen = sum(float(cell.counts.foreground.sum()) for cell in cells)
    name, lowest = _lowest_structure(cells, population.tile_spread)
    return Estimate(
        voxels=_agreeing(different, population.voxels, variation, freedom, sum(each.counts.voxels for each in cells)),
        foreground=_agreeing(different, foreground, variation, freedom, seen),
        lowest_structure=name,
        lowest=lowest,
    )


def _agreeing(
    different: float, of: float, variation: float, freedom: float, seen: float, confidence: float = CONFIDENCE
) -> Share:
    """The share that does not differ; it may be any where there is nothing to compare."""
    if of <= 0:
        return Share(1.0, 0.0, 1.0)
    share = min(different / of, 1.0)
    low, high = share_interval(share, variation, freedom, seen / PATCH, confidence)
    return Share(1.0 - share, 1.0 - high, 1.0 - low)


def _variation(cells: Sequence[SampledCell], tile_spread: float) -> tuple[float, float]:
    """Standard error of what differs, by the estimate, and its degrees of freedom."""
    total = sum(cell.different for cell in cells)
    variance, freedom = 0.0, PRIOR_FREEDOM
    for stratum in _by_stratum(cells):
        variance += _variance(stratum, tile_spread)
        freedom += len(stratum) - 1
    if total <= 0:
        return 0.0, freedom
    return math.sqrt(variance / total**2 + BLENDING_SPREAD**2), freedom


def _by_stratum(cells: Iterable[SampledCell]) -> list[list[SampledCell]]:
    strata: dict[str, list[SampledCell]] = {}
    for cell in cells:
        strata.setdefault(cell.stratum, []).append(cell)
    return list(strata.values())


def _variance(cells: Sequence[SampledCell], tile_spread: float) -> float:
    """Of what differs in a stratum, in voxels squared. Cells that were drawn for certain stand for no others."""
    chosen = [cell for cell in cells if cell.probability < 1.0]
    if not chosen:
        return 0.0
    count = len(chosen)
    mean = sum(cell.different for cell in chosen) / count
    unseen = sum(1.0 - cell.probability for cell in chosen) / count
    if mean <= 0:
        return unseen * sum((cell.weight * PATCH) ** 2 for cell in chosen)
    of_patches = sum(cell.weight**2 * float((cell.counts.different.astype(float) ** 2).sum()) for cell in chosen)
    of_patches /= count * mean**2
    between = sum((cell.different / mean - 1.0) ** 2 for cell in chosen)
    expected = tile_spread**2 + of_patches
    each = (PRIOR_FREEDOM * expected + between) / (PRIOR_FREEDOM + count - 1)
    return unseen * count * each * mean**2


# -- structures --------------------------------------------------------------------------------------------------------


def _lowest_structure(cells: Sequence[SampledCell], tile_spread: float) -> tuple[str, Share | None]:
    """Its interval holds for all candidates at the same time (Bonferroni): the lowest of many is low by chance, too."""
    names = dict.fromkeys(name for cell in cells for name in cell.counts.of_structures)
    found = {name: _Structure.of(name, cells) for name in names}
    known = {name: each for name, each in found.items() if each.seen >= FEWEST_VOXELS}
    if not known:
        return "", None
    confidence = 1.0 - (1.0 - CONFIDENCE) / len(known)
    lowest = max(known, key=lambda name: known[name].differing_share)
    return lowest, known[lowest].agreeing(confidence, tile_spread)


@dataclass(frozen=True)
class _Structure:
    seen: int
    """Voxels in the drawn cells."""
    different_seen: int
    weighted: float
    different: float
    cells: int
    """That show it."""

    @classmethod
    def of(cls, name: str, cells: Sequence[SampledCell]) -> _Structure:
        showing = [
            (cell.weight, *cell.counts.of_structures[name]) for cell in cells if name in cell.counts.of_structures
        ]
        return cls(
            seen=sum(either for _, either, _ in showing),
            different_seen=sum(different for _, _, different in showing),
            weighted=sum(weight * either for weight, either, _ in showing),
            different=sum(weight * different for weight, _, different in showing),
            cells=len(showing),
        )

    @property
    def differing_share(self) -> float:
        return self.different / self.weighted

    def agreeing(self, confidence: float, tile_spread: float) -> Share:
        patches = self.different_seen / PATCH
        spread = tile_spread**2 / self.cells + BLENDING_SPREAD**2
        variation = math.sqrt(spread + 1.0 / patches) if patches else 0.0
        return _agreeing(self.different, self.weighted, variation, PRIOR_FREEDOM, self.seen, confidence)
