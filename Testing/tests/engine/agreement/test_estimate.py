"""The estimate from a few cells: which are drawn, what is counted, and how often the interval holds the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from TotalSegmentatorEngine.agreement.estimate import Estimate, Population, SampledCell, estimated
from TotalSegmentatorEngine.agreement.exact_tiles import cells_of
from TotalSegmentatorEngine.agreement.intervals import share_interval
from TotalSegmentatorEngine.agreement.tile_choice import (
    ACROSS,
    INSIDE,
    OUTSIDE,
    Candidate,
    draw,
    sizes_of,
    tile_count,
)
from TotalSegmentatorEngine.agreement.tile_counts import CellCounts, boundary_voxels, compared
from TotalSegmentatorEngine.inference.sliding_window import Window

NAMES = {1: "liver", 2: "spleen"}


# -- tiles and cells ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("shape", "step"), [((50, 33, 40), 0.5), ((50, 33, 40), 0.8), ((10, 40, 16), 0.5)])
def test_the_cells_of_all_tiles_divide_the_image(shape: tuple[int, int, int], step: float) -> None:
    window = Window((16, 16, 16), step, "logits")
    cells = cells_of(window.tile_starts(shape), window.patch_size, shape)
    counted = np.zeros(shape, dtype=int)
    for cell in cells:
        counted[cell.box] += 1
        assert all(0 <= part.start < part.stop <= 16 for part in cell.in_tile)
    assert len(cells) == window.tile_count(shape) and (counted == 1).all()


def test_as_many_tiles_are_drawn_as_promised() -> None:
    assert [tile_count(of) for of in (1, 20, 66, 67, 135, 600)] == [1, 2, 2, 3, 5, 18]
    assert [tile_count(of, is_in_regions=True) for of in (2, 20, 600)] == [2, 3, 18]


def test_each_kind_of_place_is_drawn_and_the_same_ct_draws_the_same() -> None:
    candidates = [Candidate(stratum, size) for stratum in (INSIDE, ACROSS, OUTSIDE) for size in (1.0, 5.0, 2.0)]
    draws = [draw(candidates, 3, str(seed)) for seed in range(20)]
    for drawn in draws:
        assert [candidates[each.number].stratum for each in drawn] == [INSIDE, ACROSS, OUTSIDE]
    assert draw(candidates, 3, "7") == draws[7] and len({tuple(drawn) for drawn in draws}) > 1


def test_the_weighted_sum_of_what_is_drawn_is_the_sum_of_all_on_average() -> None:
    chance = np.random.default_rng(3)
    sizes, values = chance.uniform(0.1, 9.0, 30), chance.uniform(0.0, 50.0, 30)
    candidates = [Candidate(INSIDE if number < 20 else OUTSIDE, float(size)) for number, size in enumerate(sizes)]
    sums = [
        sum(values[each.number] / each.probability for each in draw(candidates, 6, str(seed))) for seed in range(4000)
    ]
    assert np.mean(sums) == pytest.approx(values.sum(), rel=0.03)


def test_tiles_with_boundaries_are_drawn_rather_than_tissue_and_air() -> None:
    sizes = sizes_of([100.0, 0.0, 0.0], [50.0, 50.0, 0.0])
    assert sizes[0] > 10 * sizes[1] > 100 * sizes[2] > 0
    assert sizes_of([0.0, 0.0], [30.0, 0.0])[0] > sizes_of([0.0, 0.0], [30.0, 0.0])[1] > 0


# -- counting ----------------------------------------------------------------------------------------------------------


def test_voxels_are_counted_by_either_label() -> None:
    exact = np.zeros((4, 4, 4), dtype=np.uint8)
    approximate = exact.copy()
    exact[0, 0, :] = [1, 1, 2, 9]
    approximate[0, 0, :] = [1, 2, 2, 1]
    counts = compared(exact, approximate, NAMES)
    assert (counts.voxels, counts.different.sum(), counts.foreground.sum()) == (64, 2, 4)
    assert counts.of_structures == {"liver": (3, 2), "spleen": (2, 1)}, "9 is nothing that was asked for"
    assert counts.approximate_foreground == 4


def test_boundaries_are_where_faces_meet_another_label() -> None:
    labels = np.zeros((5, 5, 5), dtype=np.uint8)
    labels[2, 2, 2] = 3
    assert boundary_voxels(labels).sum() == 7


# -- the interval ------------------------------------------------------------------------------------------------------


def test_the_interval_of_independent_voxels_is_that_of_clopper_and_pearson() -> None:
    """10 of 100: 4.90 and 17.62 %, as tables have it."""
    low, high = share_interval(0.1, variation=(0.9 / 0.1 / 100) ** 0.5, freedom=1e9, none_in=100)
    assert (low, high) == pytest.approx((0.0490, 0.1762), abs=1e-4)
    assert share_interval(0.0, 0.0, 5.0, none_in=100)[1] == pytest.approx(0.0362, abs=1e-4)


class Image:
    """Tiles whose level of disagreement differs, with patches of voxels that differ together."""

    def __init__(self, seed: int, rate: float, tile_spread: float) -> None:
        chance = np.random.default_rng(seed)
        self.counts, self.candidates = [], []
        for _ in range(40):
            foreground = chance.integers(0, 3000, 27)
            level = rate * chance.lognormal(-(tile_spread**2) / 2, tile_spread)
            patches = chance.poisson(level * foreground / 6.0)
            different = np.minimum(patches * 6, foreground)
            total = int(foreground.sum())
            self.counts.append(
                CellCounts(27 * 4096, different, foreground, total, {"liver": (total, int(different.sum()))})
            )
            self.candidates.append(Candidate(INSIDE, total * chance.uniform(0.7, 1.4) + 1.0))
        self.true = 1.0 - self._sum("different") / self._sum("foreground")

    def _sum(self, name: str) -> float:
        return float(sum(getattr(each, name).sum() for each in self.counts))

    def estimate(self, seed: str, count: int = 2) -> Estimate:
        cells: Sequence[SampledCell] = [
            SampledCell(self.counts[each.number], each.probability, INSIDE)
            for each in draw(self.candidates, count, seed)
        ]
        return estimated(cells, Population(40 * 27 * 4096, int(self._sum("foreground"))))


@pytest.mark.parametrize("rate", [0.0003, 0.1])
@pytest.mark.parametrize("tile_spread", [0.2, 0.5])
def test_the_interval_of_two_tiles_holds_the_truth_in_19_of_20_images(rate: float, tile_spread: float) -> None:
    held = []
    for seed in range(80):
        image = Image(seed, rate, tile_spread)
        share = image.estimate(str(seed)).foreground
        held.append(share.low <= image.true <= share.high)
    assert np.mean(held) >= 0.95


def test_more_tiles_say_more() -> None:
    image = Image(1, 0.01, 0.3)
    widths = [share.high - share.low for share in (image.estimate("1", count).foreground for count in (2, 8, 40))]
    assert widths[0] > widths[1] > widths[2]


def test_no_difference_in_few_voxels_is_no_proof() -> None:
    counts = [
        CellCounts(4096, np.zeros(1, int), np.array([voxels]), voxels, {"liver": (voxels, 0)}) for voxels in (50, 4000)
    ]
    shares = [estimated([SampledCell(each, 0.1, INSIDE)], Population(40960, 5000)) for each in counts]
    assert [each.foreground.value for each in shares] == [1.0, 1.0]
    assert shares[0].foreground.low < 0.7 < 0.98 < shares[1].foreground.low < 1.0
    assert [each.lowest_structure for each in shares] == ["", "liver"]


def test_where_neither_has_a_structure_nothing_is_known_of_them() -> None:
    counts = CellCounts(4096, np.zeros(1, int), np.zeros(1, int), 0, {})
    found = estimated([SampledCell(counts, 0.1, INSIDE)], Population(40960, 0))
    assert (found.foreground.low, found.foreground.high, found.lowest) == (0.0, 1.0, None)
    assert found.voxels.low > 0.9


def test_the_lowest_of_many_structures_has_the_wider_interval() -> None:
    def lowest(others: int) -> float:
        of = {"pancreas": (2000, 100)} | {f"rib_{number}": (2000, 10) for number in range(others)}
        counts = CellCounts(64**3, np.array([100]), np.array([60000]), 60000, of)
        found = estimated([SampledCell(counts, 0.1, INSIDE)], Population(10 * 64**3, 600000))
        assert (found.lowest_structure, found.lowest.value) == ("pancreas", pytest.approx(0.95))
        return found.lowest.low

    assert lowest(30) < lowest(0) < 0.95
