"""Requested structures are found by a quick coarse pass, and their networks run only there.

Models that answer by CT number alone (hu_models.py): labels of a cropped and of a full run must be the same.
test_demo_structures.py shows the same with a network that was trained.
"""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from engine_support import blobs_volume, turned
from hu_models import block_volume, make_hu_model
from job_recorder import NetworkRun, run
from one_model import model_task, with_changes
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.coarse_localization import CoarseLocalization, part_regions
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan, segment
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, network_grid
from TotalSegmentatorEngine.preprocessing.regions import shape_of
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import LOCALIZATION, SECOND_OPINION, SEGMENTATION
from TotalSegmentatorWire.tables.catalogue import read_catalogue

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

MODEL, COARSE, COARSER = "117-1.5mm", "117-3mm", "117-6mm"
ORGANS, CARDIAC = 0, 2
"""Parts of the model: kidneys and spleen, heart and aorta."""
PATCH = (32, 32, 32)
KIDNEY, HEART = 640, -560
"""CT numbers; half-way to soft tissue the networks change their mind."""
KIDNEY_BLOCK = (slice(30, 50), slice(28, 44), slice(20, 40))


def install(
    folder: Path, fine: Mapping[str, float], coarse: Mapping[str, float] | None = None, localization: str = COARSER
) -> Path:
    """A models folder: the 1.5 mm model that knows ``fine``, and a coarse one that knows ``coarse``, the same without
    it."""
    make_hu_model(folder, MODEL, fine, PATCH)
    make_hu_model(folder, localization, fine if coarse is None else coarse)
    return folder


def prepared_job(folder: Path, structures: list[str] | None, crop: str = "none", smooth: bool = False) -> PreparedTask:
    options = JobOptions(runtime="eager", crop=crop, smooth=smooth, self_check=False)
    return prepare(model_task(MODEL, folder, structures, "cpu", options))


def everywhere(volume: Volume, prepared: PreparedTask) -> np.ndarray:
    """The labels of the same job over the whole image."""
    return segment(volume, with_changes(prepared, coarse_model=None), EngineCache(), SilentReporter()).layers[0]


def part_name(number: int) -> str:
    return read_catalogue()[MODEL].parts[number].name


# -- where they are ----------------------------------------------------------------------------------------------------


def test_a_structure_is_searched_where_the_localization_saw_it(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}), ["kidney_left"])
    volume = block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY)])
    result, reported = run(volume, prepared)
    (own,) = network_runs
    assert own.part == part_name(ORGANS) and not own.is_whole
    first, refined = reported.plans
    assert [planned.purpose for planned in first.passes] == [LOCALIZATION, SEGMENTATION]
    assert first.is_preliminary and not refined.is_preliminary
    assert not first.passes[1].is_cropped and refined.passes[1].is_cropped
    assert refined.passes[1].shape == list(shape_of(own.region))
    assert refined.passes[1].tiles < 0.2 * first.passes[1].tiles
    assert reported.tiles == (refined.tiles, refined.tiles), "the tiles that were planned were run"
    localization_tiles = refined.passes[0].tiles
    assert reported.totals[localization_tiles - 1] == first.tiles
    assert reported.totals[localization_tiles + 1] == refined.tiles
    assert reported.warnings == []
    assert [found.voxels for found in result.found] == [volume.array[KIDNEY_BLOCK].size]
    assert np.array_equal(result.layers[0], everywhere(volume, prepared))


def test_the_review_has_the_localization_for_a_second_opinion(tmp_path: Path) -> None:
    """A second block is a kidney to the coarse model alone."""
    folder = install(tmp_path, {"kidney_left": KIDNEY}, {"kidney_left": 400})
    other = (slice(80, 96), slice(28, 44), slice(40, 60))
    volume = block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (other, 300)])
    job = prepared_job(folder, ["kidney_left"])
    reviewed = dataclasses.replace(job, task=dataclasses.replace(job.task, is_reviewed=True))
    result, _reported = run(volume, reviewed)
    assert [found.voxels for found in result.found] == [volume.array[KIDNEY_BLOCK].size]
    (flag,) = (flag for flag in result.flags if flag.rule == "second_opinion")
    assert flag.structure == "kidney_left"
    assert flag.numbers["volume_ml"] == pytest.approx(volume.array[other].size * _voxel_ml(volume), rel=0.3)
    index = (np.linalg.inv(volume.geometry.ijk_to_ras) @ [*flag.place_ras_mm, 1.0])[2::-1]
    assert all(part.start - 2 <= place <= part.stop + 1 for place, part in zip(index, other, strict=True))


@pytest.mark.parametrize(("chosen", "asks"), [("on", True), ("off", False)])
def test_a_coarser_model_is_asked_for_a_second_opinion(tmp_path: Path, chosen: str, asks: bool) -> None:
    """After the job's own networks, over the whole image; its labels are no others for it."""
    folder = install(tmp_path, {"kidney_left": KIDNEY}, {"kidney_left": 400}, localization=COARSE)
    other = (slice(80, 96), slice(28, 44), slice(40, 60))
    volume = block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (other, 300)])
    options = JobOptions(runtime="eager", second_opinion=chosen)
    prepared = prepare(model_task(MODEL, folder, None, "cpu", options, is_reviewed=True))
    result, reported = run(volume, prepared)
    (planned,) = reported.plans
    assert [each.purpose for each in planned.passes].count(SECOND_OPINION) == asks
    assert planned.passes[-1].purpose == (SECOND_OPINION if asks else SEGMENTATION)
    assert reported.tiles == (planned.tiles, planned.tiles), "the tiles that were planned were run"
    assert [flag.structure for flag in result.flags if flag.rule == "second_opinion"] == ["kidney_left"] * asks
    assert np.array_equal(result.layers[0], everywhere(volume, prepared))


def test_a_second_opinion_that_costs_much_is_not_asked_for_by_itself(tmp_path: Path) -> None:
    """Its one tile holds as many voxels as all those of the fine networks."""
    folder = tmp_path
    make_hu_model(folder, MODEL, {"kidney_left": KIDNEY}, PATCH)
    make_hu_model(folder, COARSE, {"kidney_left": KIDNEY}, (96, 96, 96))
    volume = block_volume((40, 40, 40), [(KIDNEY_BLOCK, KIDNEY)])
    task = model_task(MODEL, folder, None, "cpu", JobOptions(runtime="eager"), is_reviewed=True)
    purposes = [each.purpose for each in plan(volume, prepare(task)).passes]
    assert set(purposes) == {SEGMENTATION}


def _voxel_ml(volume: Volume) -> float:
    return float(np.prod(volume.geometry.spacing)) / 1000


def test_each_part_runs_around_its_own_structures(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    folder = install(tmp_path, {"kidney_left": KIDNEY, "heart": HEART})
    heart_block = (slice(90, 100), slice(44, 60), slice(40, 56))
    volume = block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (heart_block, HEART)])
    result, reported = run(volume, prepared_job(folder, ["heart", "kidney_left"]))
    assert [own.part for own in network_runs] == [part_name(ORGANS), part_name(CARDIAC)]
    organs, cardiac = (own.region for own in network_runs)
    assert organs[0].stop <= 90 <= cardiac[0].stop
    assert cardiac[0].start >= 50 >= organs[0].start
    assert reported.tiles == (reported.plans[-1].tiles, reported.plans[-1].tiles)
    assert {found.name: found.voxels for found in result.found} == {
        "kidney_left": volume.array[KIDNEY_BLOCK].size,
        "heart": volume.array[heart_block].size,
    }


def test_labels_in_the_region_are_those_of_a_run_on_that_region_alone(tmp_path: Path, monkeypatch) -> None:
    """Networks with random weights see their context. The coarse model says where the structure is, and no border of
    the region counts as a cut, since such networks put every label everywhere."""
    make_catalogue_model(tmp_path, MODEL)
    make_catalogue_model(tmp_path, COARSER)
    volume = blobs_volume((70, 60, 64), (1.5, 1.5, 1.5))
    prepared = prepared_job(tmp_path, ["spleen", "kidney_left"])
    coarse_box = (slice(8, 10), slice(7, 9), slice(0, 2))

    def seen(labels, grid: NetworkGrid, model) -> CoarseLocalization:
        return CoarseLocalization({"spleen": coarse_box, "kidney_left": coarse_box}, grid)

    monkeypatch.setattr("TotalSegmentatorEngine.pipeline.step_scopes.localization_of", seen)
    monkeypatch.setattr("TotalSegmentatorEngine.pipeline.region_growth.cut_sides", lambda *_: [])
    labels = run(volume, prepared)[0].layers[0]
    grids = [
        network_grid(volume.geometry, model.profile, model.parts[0].folder)
        for model in (prepared.models[0].coarse_model, prepared.models[0].model)
    ]
    localization = CoarseLocalization({"spleen": coarse_box, "kidney_left": coarse_box}, grids[0])
    requested = {"spleen", "kidney_left"}
    region = part_regions(localization, prepared.models[0].model, requested, grids[1], searches_missed=True)[
        part_name(ORGANS)
    ]
    assert 0.1 < np.prod(shape_of(region)) / volume.array.size < 0.9
    alone = everywhere(Volume(volume.array[region], _geometry_of(volume, region)), prepared)
    assert np.array_equal(labels[region], alone)
    assert len(np.unique(alone)) == 3
    outside = labels.copy()
    outside[region] = 0
    assert not outside.any()


def _geometry_of(volume: Volume, region: Region) -> Geometry:
    """Of the part of a CT in the voxel order RAS."""
    matrix = volume.geometry.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, :3] @ [part.start for part in reversed(region)]
    return Geometry(shape_of(region), matrix)


@pytest.mark.parametrize("smooth", [False, True])
def test_a_turned_ct_at_another_spacing_gives_the_labels_of_the_full_run(tmp_path: Path, smooth: bool) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}), ["kidney_left"], smooth=smooth)
    block = (slice(15, 25), slice(21, 36), slice(12, 28))
    straight = block_volume((56, 54, 60), [(block, KIDNEY)], (3.0, 2.0, 1.8))
    volume = turned(straight, (2, 0, 1), (True, False, True))
    result, reported = run(volume, prepared)
    assert reported.plans[-1].passes[1].is_cropped
    full = everywhere(volume, prepared)
    assert (result.layers[0] != full).sum() <= (1 if smooth else 0)
    assert (full != 0).sum() > 0.9 * straight.array[block].size


def test_a_resident_worker_gives_the_same_with_what_it_kept(tmp_path: Path) -> None:
    folder = install(tmp_path, {"kidney_left": KIDNEY})
    volume = block_volume((80, 50, 50), [((slice(30, 50), slice(20, 36), slice(0, 16)), KIDNEY)], (1.8, 2.1, 2.1))
    few, cache = prepared_job(folder, ["kidney_left"]), EngineCache()
    cache.remember_ct("ct", ReadInput(volume))
    first, _reported = run(volume, few, cache)
    full, _reported = run(volume, with_changes(few, coarse_model=None), cache)
    again, reported = run(volume, few, cache)
    assert first.layers[0].any()
    assert np.array_equal(first.layers[0], full.layers[0])
    assert np.array_equal(first.layers[0], again.layers[0])
    assert reported.plans[-1].passes[1].is_cropped


# -- structures that a region cuts -------------------------------------------------------------------------------------

HALF_SEEN = {"kidney_left": 1000.0}
"""A coarse model that takes the tails below for soft tissue, and knows the kidney's middle."""
TAIL = 400


def test_a_structure_that_reaches_the_regions_border_widens_it(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}, HALF_SEEN), ["kidney_left"])
    tail = (slice(50, 96), slice(34, 38), slice(28, 32))
    volume = block_volume((150, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (tail, TAIL)])
    result, reported = run(volume, prepared)
    narrow, wide = network_runs
    assert narrow.region[0].stop <= 96 < wide.region[0].stop
    assert not wide.is_whole
    assert wide.region[0].start <= narrow.region[0].start
    assert narrow.region[1:] == wide.region[1:], "it grows where the structure is cut"
    assert reported.warnings == ["REGION_WIDENED"]
    assert reported.values_of("REGION_WIDENED") == {"structures": "kidney_left"}
    finished, total = reported.tiles
    assert finished == total > reported.plans[-1].tiles, "the first run of the part was in vain"
    assert result.found[0].voxels == volume.array[KIDNEY_BLOCK].size + volume.array[tail].size
    assert np.array_equal(result.layers[0], everywhere(volume, prepared))


def test_a_structure_as_long_as_the_ct_is_followed_to_its_ends(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}, HALF_SEEN), ["kidney_left"])
    tail = (slice(0, 330), slice(22, 26), slice(22, 26))
    volume = block_volume((330, 48, 48), [((slice(8, 24), slice(16, 32), slice(16, 32)), KIDNEY), (tail, TAIL)])
    volume.array[8:24, 16:32, 16:32] = KIDNEY
    result, reported = run(volume, prepared)
    assert [own.is_whole for own in network_runs] == [False, False, False, True], "after three times all is searched"
    assert reported.warnings == ["REGION_WIDENED"], "reported once"
    assert np.array_equal(result.layers[0], np.where(volume.array > 340, result.found[0].label, 0))


def test_a_stray_at_the_regions_border_widens_nothing(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    """Networks leave single voxels of a structure anywhere; the kidney itself lies well inside."""
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}, HALF_SEEN), ["kidney_left"])
    run(block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY)]), prepared)
    (alone,) = network_runs
    last_row = (slice(alone.region[0].stop - 1, alone.region[0].stop), slice(30, 32), slice(30, 32))
    _result, reported = run(block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (last_row, TAIL)]), prepared)
    assert [own.region for own in network_runs] == [alone.region] * 2
    assert reported.warnings == []


def test_a_structure_that_was_not_requested_widens_nothing(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    folder = install(tmp_path, {"kidney_left": KIDNEY, "spleen": HEART})
    spleen = (slice(0, 112), slice(44, 52), slice(30, 38))
    volume = block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (spleen, HEART)])
    result, reported = run(volume, prepared_job(folder, ["kidney_left"]))
    assert len(network_runs) == 1 and reported.warnings == []
    assert [found.name for found in result.found] == ["kidney_left"]


# -- structures that the coarse model does not see ---------------------------------------------------------------------


def test_a_missed_structure_is_searched_where_anything_was_found(
    tmp_path: Path, network_runs: list[NetworkRun]
) -> None:
    """The coarse model knows the kidneys, and not what lies between them."""
    fine = {"kidney_left": KIDNEY, "spleen": HEART}
    folder = install(tmp_path, fine, {"kidney_left": KIDNEY})
    other_kidney = (slice(60, 76), slice(28, 44), slice(20, 40))
    spleen = (slice(53, 57), slice(30, 33), slice(24, 27))
    blocks = [(KIDNEY_BLOCK, KIDNEY), (other_kidney, KIDNEY), (spleen, HEART)]
    volume = block_volume((140, 72, 72), blocks)
    prepared = prepared_job(folder, ["spleen"])
    result, reported = run(volume, prepared)
    assert reported.warnings == ["LOCALIZATION_MISSED"]
    assert reported.values_of("LOCALIZATION_MISSED") == {"structures": "spleen"}
    (own,) = network_runs
    assert own.region[0].start <= 30 and own.region[0].stop >= 76 and not own.is_whole
    assert [(found.name, found.voxels) for found in result.found] == [("spleen", volume.array[spleen].size)]
    assert np.array_equal(result.layers[0], everywhere(volume, prepared))


def test_where_the_localization_sees_nothing_the_whole_image_is_searched(
    tmp_path: Path, network_runs: list[NetworkRun]
) -> None:
    folder = install(tmp_path, {"kidney_left": KIDNEY}, {})
    volume = block_volume((80, 72, 72), [(KIDNEY_BLOCK, KIDNEY)])
    result, reported = run(volume, prepared_job(folder, ["kidney_left", "aorta"]))
    assert reported.warnings == ["LOCALIZATION_MISSED"]
    assert reported.values_of("LOCALIZATION_MISSED") == {"structures": "kidney_left, aorta"}
    assert [own.is_whole for own in network_runs] == [True, True]
    assert not any(planned.is_cropped for planned in reported.plans[-1].passes)
    assert result.found[0].voxels == volume.array[KIDNEY_BLOCK].size and result.absent == ["aorta"]


def test_without_a_coarse_model_the_whole_image_is_searched(tmp_path: Path, network_runs: list[NetworkRun]) -> None:
    make_hu_model(tmp_path, MODEL, {"kidney_left": KIDNEY}, PATCH)
    volume = block_volume((64, 72, 72), [(KIDNEY_BLOCK, KIDNEY)])
    result, reported = run(volume, prepared_job(tmp_path, ["kidney_left"]))
    assert reported.warnings == ["NO_LOCALIZATION"]
    assert reported.values_of("NO_LOCALIZATION") == {"model": COARSER}
    assert [own.is_whole for own in network_runs] == [True]
    (only,) = reported.plans
    assert not only.is_preliminary and [planned.purpose for planned in only.passes] == [SEGMENTATION]
    assert result.found[0].voxels == volume.array[KIDNEY_BLOCK].size


def test_the_3_mm_model_gives_the_localization_where_no_coarser_one_is_installed(tmp_path: Path) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}, localization=COARSE), ["kidney_left"])
    assert prepared.models[0].coarse_model.id == COARSE and prepared.warnings == []
    volume = block_volume((112, 72, 72), [(KIDNEY_BLOCK, KIDNEY)])
    result, reported = run(volume, prepared)
    assert reported.plans[-1].passes[0].part == read_catalogue()[COARSE].parts[0].name
    assert reported.plans[-1].passes[1].is_cropped
    assert result.found[0].voxels == volume.array[KIDNEY_BLOCK].size


def test_no_localization_is_made_where_it_would_cost_more_than_it_saves(tmp_path: Path) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}), ["kidney_left"])
    block = (slice(8, 20), slice(8, 20), slice(8, 20))
    volume = block_volume((30, 30, 30), [(block, KIDNEY)])
    assert [planned.purpose for planned in plan(volume, prepared).passes] == [LOCALIZATION, SEGMENTATION]
    make_hu_model(tmp_path / "large", COARSER, {"kidney_left": KIDNEY}, (24, 24, 24))
    shutil.copytree(tmp_path / part_name(ORGANS), tmp_path / "large" / part_name(ORGANS))
    prepared = prepared_job(tmp_path / "large", ["kidney_left"])
    assert prepared.models[0].coarse_model is not None
    result, reported = run(volume, prepared)
    (only,) = reported.plans
    assert not only.is_preliminary and [planned.purpose for planned in only.passes] == [SEGMENTATION]
    assert result.found[0].voxels == volume.array[block].size


# -- the whole set -----------------------------------------------------------------------------------------------------


def test_the_whole_set_cropped_to_the_body_runs_parts_where_their_structures_are(
    tmp_path: Path, network_runs: list[NetworkRun]
) -> None:
    folder = install(tmp_path, {"kidney_left": KIDNEY, "heart": HEART})
    heart_block = (slice(80, 90), slice(44, 60), slice(40, 56))
    volume = block_volume((96, 72, 72), [(KIDNEY_BLOCK, KIDNEY), (heart_block, HEART)])
    prepared = prepared_job(folder, None, crop="body")
    result, reported = run(volume, prepared)
    assert [own.part for own in network_runs] == [part_name(ORGANS), part_name(CARDIAC)]
    assert not any(own.is_whole for own in network_runs)
    first, refined = reported.plans
    assert len(first.passes) == 6 and len(refined.passes) == 3
    assert refined.tiles < 0.2 * first.tiles
    assert reported.tiles == (refined.tiles, refined.tiles)
    assert reported.warnings == []
    assert {found.name for found in result.found} == {"kidney_left", "heart"} and len(result.absent) == 115
    labels = {found.name: found.label for found in result.found}
    expected = np.zeros(volume.array.shape, dtype=np.uint8)
    expected[KIDNEY_BLOCK], expected[heart_block] = labels["kidney_left"], labels["heart"]
    assert np.array_equal(result.layers[0], expected)


def test_a_ct_of_nothing_that_the_localization_knows_gives_empty_labels(tmp_path: Path) -> None:
    folder = install(tmp_path, {"kidney_left": KIDNEY}, {})
    volume = block_volume((64, 72, 72), [(KIDNEY_BLOCK, KIDNEY)])
    result, reported = run(volume, prepared_job(folder, None, crop="body"))
    assert result.layers[0].shape == volume.array.shape and not result.layers[0].any()
    assert result.found == [] and len(result.absent) == 117
    assert [planned.purpose for planned in reported.plans[-1].passes] == [LOCALIZATION]


def test_the_whole_set_is_not_cropped_by_default(tmp_path: Path) -> None:
    prepared = prepared_job(install(tmp_path, {"kidney_left": KIDNEY}), None)
    assert prepared.models[0].coarse_model is None and prepared.warnings == []
    planned = plan(block_volume((40, 40, 40), []), prepared)
    assert len(planned.passes) == 5 and not any(part.is_cropped for part in planned.passes)
