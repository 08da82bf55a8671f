"""Where networks run: boxes of structures, their transfer from a coarse grid to a finer one, and how regions grow."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from nnunetv2.inference.sliding_window_prediction import compute_steps_for_sliding_window
from seeded_models import configuration_settings, make_catalogue_model, make_model_folder, plans_of
from TotalSegmentatorEngine.models.find_model import Model, find_model
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.pipeline.coarse_localization import (
    CoarseLocalization,
    localization_of,
    names_of,
    part_regions,
    with_context,
)
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import (
    MARGIN_MM,
    WIDENING_MM,
    boxes_by_label,
    cut_sides,
    enclosing,
    extended,
    labels_at,
    on_finer_grid,
    shape_of,
    widened,
)
from TotalSegmentatorEngine.preprocessing.resampling import nearest_indices, zoomed_shape
from TotalSegmentatorWire.tables.catalogue import read_profiles

STEPS = sorted({profile.step for profile in read_profiles().values()})


def grid_of(full_shape, full_spacing, spacing: float) -> NetworkGrid:
    """The grid of ``spacing`` mm that the engine makes of a CT in canonical order."""
    shape = zoomed_shape(full_shape, full_spacing, [spacing] * 3)
    return NetworkGrid(shape, (spacing,) * 3, tuple(full_shape), tuple(full_spacing), None)


def box(*bounds: int) -> Region:
    """``bounds`` first and last plus one along each axis."""
    return tuple(slice(first, last) for first, last in zip(bounds[::2], bounds[1::2], strict=True))


def holds(outer: Region, inner: Region) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))


def tile_count(shape, patch_size, step: float) -> int:
    """By nnU-Net itself; images smaller than the patch are padded."""
    padded = tuple(max(size, patch) for size, patch in zip(shape, patch_size, strict=True))
    return int(np.prod([len(starts) for starts in compute_steps_for_sliding_window(padded, tuple(patch_size), step)]))


# -- boxes -------------------------------------------------------------------------------------------------------------


def test_boxes_are_the_smallest_ones_of_labels_that_have_a_name() -> None:
    labels = np.zeros((6, 7, 8), dtype=np.uint8)
    labels[1, 2:4, 5] = 3
    labels[4, 6, 7] = 3
    labels[0, 0, 0] = 200  # a label without a name
    assert boxes_by_label(labels, {1, 3}) == {3: box(1, 5, 2, 7, 5, 8)}
    assert boxes_by_label(np.zeros_like(labels), {1}) == {}


def test_a_region_around_others_is_the_smallest() -> None:
    regions = [box(3, 5, 0, 9, 4, 6), box(1, 4, 2, 3, 5, 8)]
    assert enclosing(iter(regions)) == box(1, 5, 0, 9, 4, 8)
    assert enclosing([regions[0]]) == regions[0]
    assert enclosing([]) is None


# -- from a coarse grid to a finer one ---------------------------------------------------------------------------------


def random_grids(random: np.random.Generator) -> tuple[NetworkGrid, NetworkGrid]:
    """A coarse and a fine grid of one CT."""
    full_shape = random.integers(2, 40, 3)
    full_spacing = random.uniform(0.6, 4.0, 3)
    coarse = float(random.choice([3.0, 6.0]))
    return grid_of(full_shape, full_spacing, coarse), grid_of(full_shape, full_spacing, 1.5)


def test_a_structure_lies_inside_the_region_found_from_its_coarse_labels() -> None:
    """The coarse model sees the structure wherever one of its voxels' centres lies in it."""
    seen_count = 0
    for seed in range(120):
        random = np.random.default_rng(seed)
        coarse, fine = random_grids(random)
        structure = random_structure(random, fine.shape)
        seen = on_grid(structure, coarse.shape)
        if seen.any():
            seen_count += 1
            region = on_finer_grid(boxes_by_label(seen, {1})[1], coarse, fine)
            assert holds(region, boxes_by_label(structure, {1})[1]), seed
            assert holds(fine.whole, region), seed
    assert seen_count > 60


def random_structure(random: np.random.Generator, shape) -> np.ndarray:
    """A box in which every fifth voxel is missing."""
    first = [int(random.integers(0, size)) for size in shape]
    last = [int(random.integers(start, size)) + 1 for start, size in zip(first, shape, strict=True)]
    structure = np.zeros(shape, dtype=np.uint8)
    structure[tuple(slice(start, stop) for start, stop in zip(first, last, strict=True))] = 1
    return structure * (random.random(shape) < 0.8)


def on_grid(labels: np.ndarray, shape) -> np.ndarray:
    """Each voxel takes the label of the nearest one, corner voxels on corner voxels."""
    return labels[np.ix_(*(nearest_indices(old, new) for old, new in zip(labels.shape, shape, strict=True)))]


def test_a_region_without_a_margin_holds_every_voxel_that_its_coarse_voxels_stand_for() -> None:
    for seed in range(120):
        random = np.random.default_rng(1000 + seed)
        coarse, fine = random_grids(random)
        found = np.zeros(coarse.shape, dtype=np.uint8)
        for _ in range(2):
            found[tuple(int(random.integers(0, size)) for size in coarse.shape)] = 1
        region = on_finer_grid(boxes_by_label(found, {1})[1], coarse, fine, margin_mm=0.0)
        assert holds(region, boxes_by_label(on_grid(found, fine.shape), {1})[1]), seed


def test_grids_lie_corner_to_corner_and_the_margin_counts_on_each_side() -> None:
    coarse, fine = grid_of((101, 101, 101), (1.5,) * 3, 6.0), grid_of((101, 101, 101), (1.5,) * 3, 1.5)
    assert (coarse.shape, fine.shape) == ((25,) * 3, (101,) * 3)
    assert MARGIN_MM == 20.0, "13.3 voxels"
    # index i of the coarse grid is i x 100 / 24 of the fine one: 9.5 is 39.6, 12.5 is 52.1, 0.5 is 2.1
    assert on_finer_grid(box(10, 13, 0, 1, 24, 25), coarse, fine) == box(26, 67, 0, 17, 84, 101)


def test_a_coarse_grid_of_one_voxel_stands_for_the_whole_axis() -> None:
    coarse, fine = grid_of((3, 40, 40), (2.5, 2.0, 2.0), 6.0), grid_of((3, 40, 40), (2.5, 2.0, 2.0), 1.5)
    assert coarse.shape[0] == 1 and fine.shape[0] == 5
    assert on_finer_grid(box(0, 1, 4, 5, 4, 5), coarse, fine, margin_mm=0.0)[0] == slice(0, 5)


# -- no more tiles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [*STEPS, 0.7])
def test_an_extended_region_takes_no_more_tiles_by_nnunets_own_count(step: float) -> None:
    random = np.random.default_rng(int(step * 10))
    grown = 0
    for _ in range(400):
        shape = random.integers(8, 260, 3)
        patch_size = tuple(int(size) for size in random.integers(4, 150, 3))
        first = [int(random.integers(0, size)) for size in shape]
        last = [int(random.integers(start, size)) + 1 for start, size in zip(first, shape, strict=True)]
        region = tuple(slice(start, stop) for start, stop in zip(first, last, strict=True))
        result = extended(region, shape, patch_size, step)
        assert holds(result, region)
        assert holds(tuple(slice(0, size) for size in shape), result)
        assert tile_count(shape_of(result), patch_size, step) == tile_count(shape_of(region), patch_size, step)
        grown += result != region
    assert grown > 300


@pytest.mark.parametrize("step", STEPS)
def test_an_extended_region_grows_as_far_as_the_tiles_reach(step: float) -> None:
    shape, patch_size = (1000, 30, 10), (128, 112, 16)
    result = extended(box(500, 700, 3, 20, 2, 4), shape, patch_size, step)
    assert result[1:] == (slice(0, 30), slice(0, 10)), "one tile covers the whole axis"
    longer = (slice(result[0].start, result[0].stop + 1), *result[1:])
    assert tile_count(shape_of(longer), patch_size, step) > tile_count(shape_of(result), patch_size, step)
    before, behind = 500 - result[0].start, result[0].stop - 700
    assert abs(before - behind) <= 1, "as much on one side as on the other"


def test_at_the_border_of_the_ct_a_region_grows_on_the_other_side() -> None:
    assert extended(box(2, 12, 0, 10, 40, 50), (50,) * 3, (32,) * 3, 0.5) == box(0, 32, 0, 32, 18, 50)


def test_context_is_counted_in_the_images_axes(tmp_path: Path) -> None:
    settings = configuration_settings(patch_size=(16, 32, 48))
    folder = read_model_folder(make_model_folder(tmp_path / "D", plans=plans_of(settings, transpose_forward=(2, 0, 1))))
    grid = NetworkGrid((100, 100, 100), (3.0,) * 3, (100,) * 3, (3.0,) * 3, None)
    region = with_context(box(50, 52, 50, 52, 50, 52), grid, folder, 0.8)
    assert shape_of(region) == (32, 48, 16), "the network's first axis is the image's last"


# -- structures that a region cuts -------------------------------------------------------------------------------------


def test_structures_that_end_at_a_border_are_cut_there() -> None:
    region, shape = box(10, 14, 0, 5, 20, 26), (40, 5, 26)
    labels = np.zeros(shape_of(region), dtype=np.uint8)
    labels[0, 2, 3] = 7
    assert cut_sides(labels, region, shape, [7]) == [(0, -1)]
    assert cut_sides(labels, region, shape, [1, 2]) == [], "it was not requested"
    assert cut_sides(labels, region, shape, []) == []
    labels[-1, 2, 0] = 7
    assert cut_sides(labels, region, shape, [7]) == [(0, -1), (0, 1), (2, -1)]
    inside = np.zeros_like(labels)
    inside[1:-1, :, 1:-1] = 7
    assert cut_sides(inside, region, shape, [7]) == [], "along the second axis the region is the whole grid"


def test_strays_at_a_border_are_not_cut() -> None:
    region, shape = box(10, 30, 10, 30, 10, 30), (100, 100, 100)
    labels = np.zeros(shape_of(region), dtype=np.uint8)
    labels[5:15, 5:15, 5:15] = 7
    labels[0, 3:5, 3:5] = labels[-1, -1, -1] = 7
    assert cut_sides(labels, region, shape, [7]) == []
    assert labels_at(labels, [(0, -1)]) == set()
    labels[:, 19, 1:5] = 7  # 80 of 1000 voxels: a piece of its own
    assert cut_sides(labels, region, shape, [7]) == [(0, -1), (0, 1), (1, 1)]


def test_the_border_of_the_grid_cuts_nothing() -> None:
    labels = np.full((4, 5, 6), 1, dtype=np.uint8)
    assert cut_sides(labels, box(0, 4, 0, 5, 0, 6), (4, 5, 6), [1]) == []


def test_the_structures_at_a_cut_side_are_named() -> None:
    labels = np.zeros((4, 5, 6), dtype=np.uint8)
    labels[0, 1, 1], labels[-1, 2, 2], labels[2, 2, -1], labels[1, 1, 1] = 3, 4, 5, 6
    assert labels_at(labels, [(0, -1)]) == {3}
    assert labels_at(labels, [(0, 1)]) == {4}
    assert labels_at(labels, [(0, -1), (2, 1)]) == {3, 5}
    assert labels_at(labels, [(1, -1)]) == labels_at(labels, []) == set()


def test_a_region_grows_on_the_cut_sides_alone_and_ends_with_the_grid() -> None:
    grid = NetworkGrid((200, 200, 30), (1.5, 3.0, 6.0), (200, 200, 30), (1.5, 3.0, 6.0), None)
    region = box(50, 60, 15, 190, 10, 20)
    more = [int(WIDENING_MM / spacing) for spacing in grid.spacing]
    assert widened(region, [(0, -1), (2, 1)], grid) == box(50 - more[0], 60, 15, 190, 10, 20 + more[2])
    assert widened(region, [(1, -1), (1, 1)], grid) == box(50, 60, 0, 200, 10, 20)
    assert widened(region, [], grid) == region


# -- coarse localization -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the 1.5 mm and the 6 mm model of the catalogue."""
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, "117-1.5mm")
    make_catalogue_model(folder, "117-6mm")
    return folder


@pytest.fixture(scope="module")
def fine_model(models: Path) -> Model:
    return find_model("117-1.5mm", models)


COARSE = grid_of((300, 200, 200), (1.5,) * 3, 6.0)
FINE = grid_of((300, 200, 200), (1.5,) * 3, 1.5)


@pytest.fixture
def localization(models: Path) -> CoarseLocalization:
    """Two kidneys and a heart, by the label numbers of the 6 mm model."""
    model = find_model("117-6mm", models)
    numbers = {structure.name: structure.label for structure in model.structures}
    labels = np.zeros(COARSE.shape, dtype=np.uint8)
    labels[20:30, 20:25, 10:15] = numbers["kidney_right"]
    labels[22:33, 20:26, 32:38] = numbers["kidney_left"]
    labels[55:65, 10:20, 20:30] = numbers["heart"]
    return localization_of(labels, COARSE, model)


def test_the_localization_knows_what_it_found_and_what_it_missed(localization: CoarseLocalization) -> None:
    assert set(localization.boxes) == {"kidney_right", "kidney_left", "heart"}
    assert localization.boxes["heart"] == box(55, 65, 10, 20, 20, 30)
    assert localization.missed(["spleen", "heart", "kidney_left", "aorta"]) == ["spleen", "aorta"]


def test_strays_far_from_a_structure_do_not_count(models: Path) -> None:
    """As a coarse network leaves them; another large piece of the structure does count."""
    model = find_model("117-6mm", models)
    numbers = {structure.name: structure.label for structure in model.structures}
    labels = np.zeros(COARSE.shape, dtype=np.uint8)
    labels[20:30, 20:25, 10:15] = numbers["kidney_right"]
    labels[60, 40, 45] = labels[3, 3:5, 3] = numbers["kidney_right"]
    labels[10:20, 10:20, 10:12] = labels[40:44, 30:33, 30:32] = numbers["colon"]
    labels[50, 5, 5] = numbers["adrenal_gland_left"]
    boxes = localization_of(labels, COARSE, model).boxes
    assert boxes["kidney_right"] == box(20, 30, 20, 25, 10, 15)
    assert boxes["colon"] == box(10, 44, 10, 33, 10, 32)
    assert boxes["adrenal_gland_left"] == box(50, 51, 5, 6, 5, 6), "a structure of one voxel is none"


def test_the_region_of_structures_holds_them_all(localization: CoarseLocalization) -> None:
    region = localization.region_of(["kidney_left", "kidney_right"], FINE, searches_missed=True)
    assert region == on_finer_grid(box(20, 33, 20, 26, 10, 38), COARSE, FINE)
    assert localization.region_of(["heart"], FINE, searches_missed=False) == on_finer_grid(
        localization.boxes["heart"], COARSE, FINE
    )
    assert np.prod(shape_of(region)) < 0.3 * np.prod(FINE.shape)


def test_a_missed_structure_is_searched_where_anything_was_found(localization: CoarseLocalization) -> None:
    anywhere = on_finer_grid(box(20, 65, 10, 26, 10, 38), COARSE, FINE)
    assert localization.region_of(["spleen"], FINE, searches_missed=True) == anywhere
    assert localization.region_of(["spleen", "heart"], FINE, searches_missed=True) == anywhere
    assert localization.region_of(["spleen"], FINE, searches_missed=False) is None
    assert localization.region_of(["spleen", "heart"], FINE, searches_missed=False) == localization.region_of(
        ["heart"], FINE, searches_missed=False
    )


def test_where_nothing_was_found_a_missed_structure_is_searched_everywhere() -> None:
    nothing = CoarseLocalization({}, COARSE)
    assert nothing.region_of(["spleen"], FINE, searches_missed=True) == FINE.whole
    assert nothing.region_of(["spleen"], FINE, searches_missed=False) is None
    assert nothing.region_of([], FINE, searches_missed=True) is None


def test_parts_run_around_their_own_structures_and_not_at_all_without_one(
    localization: CoarseLocalization, fine_model: Model
) -> None:
    requested = {"kidney_left", "heart"}
    regions = part_regions(localization, fine_model, requested, FINE, searches_missed=True)
    organs, vertebrae, cardiac, muscles, ribs = (regions[part.name] for part in fine_model.parts)
    assert (vertebrae, muscles, ribs) == (None, None, None), "they know no requested structure"
    assert holds(organs, on_finer_grid(localization.boxes["kidney_left"], COARSE, FINE))
    assert not holds(organs, on_finer_grid(localization.boxes["heart"], COARSE, FINE))
    assert holds(cardiac, on_finer_grid(localization.boxes["heart"], COARSE, FINE))
    patch, step = fine_model.parts[0].folder.patch_size, fine_model.profile.step
    needed = localization.region_of(["kidney_left"], FINE, searches_missed=True)
    assert tile_count(shape_of(organs), patch, step) == tile_count(shape_of(needed), patch, step)


def test_the_whole_set_runs_only_parts_of_which_something_was_found(
    localization: CoarseLocalization, fine_model: Model
) -> None:
    names = {structure.name for structure in fine_model.structures}
    regions = part_regions(localization, fine_model, names, FINE, searches_missed=False)
    assert [regions[part.name] is not None for part in fine_model.parts] == [True, False, True, False, False]


def test_parts_that_were_not_requested_are_left_out(localization: CoarseLocalization, fine_model: Model) -> None:
    parts = [dataclasses.replace(part, folder=None) for part in fine_model.parts[:4]] + fine_model.parts[4:]
    model = dataclasses.replace(fine_model, parts=parts)
    regions = part_regions(localization, model, {"rib_left_1"}, FINE, searches_missed=True)
    assert list(regions) == [parts[4].name]
    assert holds(regions[parts[4].name], on_finer_grid(box(20, 65, 10, 26, 10, 38), COARSE, FINE))


def test_each_structure_is_known_to_one_part(fine_model: Model) -> None:
    known = [names_of(part, fine_model) for part in fine_model.parts]
    assert set().union(*known) == {structure.name for structure in fine_model.structures}
    assert sum(len(names) for names in known) == 117
    assert "kidney_left" in known[0] and "heart" in known[2]
