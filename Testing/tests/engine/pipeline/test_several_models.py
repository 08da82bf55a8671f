"""One job of several models: what each finds is what it finds alone, and what they share runs once.

Models that answer by CT number alone (hu_models.py): 117-6mm says where lungs and kidneys are, other models run there.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from engine_support import turned
from hu_models import block_volume, make_hu_model
from job_recorder import run
from one_model import with_changes
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.reporting import JobReporter, SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.pipeline import part_prediction, preprocessed_ct, segmentation, step_run
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.part_prediction import PartPrediction
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan, predict, run_job, segment
from TotalSegmentatorEngine.plan.job_steps import job_steps
from TotalSegmentatorEngine.preprocessing.cut_volume import box_of_extents
from TotalSegmentatorEngine.preprocessing.network_input import Region
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import model_request
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import CROPPING, LOCALIZATION, SEGMENTATION
from TotalSegmentatorWire.messages.segment import ProgressEvent

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

LUNG, NODULE, KIDNEY, SPLEEN = -700, -300, 640, 400
COARSE, FAMILY, TASK, CYSTS = "117-6mm", "104-3mm", "lung_nodules", "kidney_cysts"
BLOCKS = [
    ((slice(8, 20), slice(12, 28), slice(14, 30)), LUNG),
    ((slice(12, 16), slice(16, 22), slice(18, 24)), NODULE),
    ((slice(28, 40), slice(20, 32), slice(8, 20)), KIDNEY),
    ((slice(28, 38), slice(24, 36), slice(26, 36)), SPLEEN),
]
SPACING = (3.0, 2.5, 2.0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 104 see a spleen in what the nodules' model takes for a nodule: results that overlap."""
    folder = tmp_path_factory.mktemp("models")
    make_hu_model(folder, COARSE, {"lung_upper_lobe_left": LUNG, "kidney_right": KIDNEY})
    make_hu_model(folder, "117-3mm", {"kidney_right": KIDNEY})
    make_hu_model(folder, FAMILY, {"spleen": NODULE, "liver": SPLEEN})
    make_hu_model(folder, TASK, {"lung": LUNG, "lung_nodules": NODULE})
    make_hu_model(folder, CYSTS, {"kidney_cyst_left": KIDNEY})
    return folder


@pytest.fixture
def volume() -> Volume:
    return block_volume((46, 48, 44), BLOCKS, SPACING)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each network ran, by its dataset."""
    counted: Counter[str] = Counter()
    predict = PartPrediction.predict

    def noted(self: PartPrediction, part: Part, region: Region):
        counted[part.name] += 1
        return predict(self, part, region)

    monkeypatch.setattr(PartPrediction, "predict", noted)
    return counted


def job(models: Path, *requests: str | tuple[str, list[str]], **options: object) -> PreparedTask:
    asked = tuple(model_request(*([each] if isinstance(each, str) else each)) for each in requests)
    return prepare(SegmentationTask(asked, models, "cpu", JobOptions(runtime="eager", self_check=False, **options)))


def masks(result: SegmentationResult) -> dict[str, np.ndarray]:
    """By name: bool (k, j, i)."""
    return {each.name: result.layers[each.layer] == each.label for each in result.found}


def dataset(prepared: PreparedTask) -> str:
    """Of the last model's only network."""
    return prepared.models[-1].model.parts[0].name


TASK_NAMES = ("lung", "lung_nodules")
REQUESTS = [(FAMILY, ["spleen", "liver"]), ("117-3mm", ["kidney_right"]), TASK, CYSTS]


def test_one_job_finds_what_single_jobs_find_and_makes_a_coarse_pass_once(
    models: Path, volume: Volume, runs: Counter[str]
) -> None:
    alone = [run(volume, job(models, request))[0] for request in REQUESTS]
    coarse = dataset(job(models, COARSE))
    assert runs[coarse] == 3, "alone each of the last three has its own"
    runs.clear()
    result, reported = run(volume, job(models, *REQUESTS))
    assert set(runs.values()) == {1} and runs[coarse] == 1
    together = masks(result)
    expected = {name: mask for each in alone for name, mask in masks(each).items()}
    assert together.keys() == expected.keys() == {"spleen", "liver", "kidney_right", *TASK_NAMES, "kidney_cyst_left"}
    assert all(np.array_equal(together[name], mask) for name, mask in expected.items())
    assert (together["spleen"] & together["lung_nodules"]).any() and 2 <= len(result.layers) <= 3
    fields = ("voxels", "extent", "digest", "mean_hu", "volume_ml", "model")
    known = {each.name: [getattr(each, field) for field in fields] for one in alone for each in one.found}
    assert {each.name: [getattr(each, field) for field in fields] for each in result.found} == known
    assert result.models == [FAMILY, "117-3mm", TASK, CYSTS] == list(result.profiles)
    final = reported.plans[-1]
    assert [each.model for each in final.passes] == [COARSE, FAMILY, "117-3mm", TASK, CYSTS]
    assert [each.purpose for each in final.passes] == [CROPPING, *4 * [SEGMENTATION]]
    assert [each.is_cropped for each in final.passes] == [False, False, True, True, True]
    assert reported.plans[0].is_preliminary and not final.is_preliminary
    assert reported.tiles == (final.tiles, final.tiles), "the tiles that were planned were run"


def test_weights_are_read_ahead_of_the_network_that_runs_first(models: Path, volume: Volume) -> None:
    prepared = job(models, FAMILY, TASK)
    assert prepared.first_folder.path == job_steps(volume.geometry, prepared)[0].folders[0].path


def test_both_halves_of_a_job_give_what_the_whole_job_gives(models: Path, volume: Volume) -> None:
    """As a run over many CTs does it: the CT has left the cache when the second half begins."""
    prepared, cache = job(models, (FAMILY, ["spleen"]), TASK), EngineCache()
    cache.remember_ct("one", ReadInput(volume))
    finish = predict(volume, prepared, cache, SilentReporter(), learns=False)
    cache.forget_ct()
    found, expected = masks(finish()), masks(run(volume, prepared)[0])
    assert found.keys() == expected.keys() and all(np.array_equal(found[name], expected[name]) for name in found)


def test_a_model_that_is_asked_for_and_needed_runs_once(models: Path, volume: Volume, runs: Counter[str]) -> None:
    alone = masks(run(volume, job(models, (COARSE, ["kidney_right"])))[0])
    task_alone = masks(run(volume, job(models, TASK))[0])
    runs.clear()
    result, reported = run(volume, job(models, TASK, (COARSE, ["kidney_right"])))
    assert set(runs.values()) == {1} and len(runs) == 2
    assert [each.purpose for each in reported.plans[-1].passes] == 2 * [SEGMENTATION]
    together = masks(result)
    assert all(np.array_equal(mask, together[name]) for name, mask in {**alone, **task_alone}.items())
    assert [each.name for each in result.structures] == [*TASK_NAMES, "kidney_right"]


def oblique(geometry: Geometry) -> Geometry:
    angle = np.radians(20.0)
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Geometry(geometry.shape, turn @ geometry.ijk_to_ras)


def left_handed(geometry: Geometry) -> Geometry:
    return Geometry(geometry.shape, geometry.ijk_to_ras @ np.diag([1.0, 1.0, -1.0, 1.0]))


@pytest.mark.parametrize(
    "change",
    [
        lambda volume: volume,
        lambda volume: Volume(volume.array, oblique(volume.geometry)),
        lambda volume: Volume(volume.array, left_handed(volume.geometry)),
        lambda volume: turned(volume, (2, 0, 1), (True, False, True)),
        lambda volume: Volume(volume.array.astype(np.float32) + np.float32(0.25), volume.geometry),
    ],
    ids=["as it is", "oblique", "left-handed", "turned", "fractions of HU"],
)
def test_a_task_gets_the_published_box_of_the_ct_and_nothing_else(
    models: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch, change: Callable[[Volume], Volume]
) -> None:
    """The box on the CT's own grid, by the restored labels of the coarse model."""
    ct = change(volume)
    coarse = masks(run(ct, job(models, COARSE))[0])["lung_upper_lobe_left"]
    margins = [int(20 / np.float32(spacing)) for spacing in reversed(ct.geometry.spacing)]
    box = tuple(
        slice(max(int(along.min()) - margin, 0), min(int(along.max()) + 1 + margin, size))
        for along, margin, size in zip(np.nonzero(coarse), margins, ct.array.shape, strict=True)
    )
    assert any(part.stop - part.start < size for part, size in zip(box, ct.array.shape, strict=True))
    given = []
    monkeypatch.setattr(
        step_run,
        "PreprocessedCt",
        lambda *arguments: given.append(preprocessed_ct.PreprocessedCt(*arguments)) or given[-1],
    )
    prepared = job(models, TASK)
    result, _reported = run(ct, prepared)
    got = given[-1].volume
    assert np.array_equal(got.array, np.trunc(ct.array[box]))
    first = [part.start for part in reversed(box)]
    corner = ct.geometry.ijk_to_ras @ [*first, 1.0]
    assert np.allclose(got.geometry.origin, corner[:3]) and np.allclose(got.geometry.direction, ct.geometry.direction)
    inside, _reported = run(Volume(got.array, got.geometry), with_changes(prepared, crop=None))
    found = masks(result)
    assert found.keys() == set(TASK_NAMES)
    for name, mask in masks(inside).items():
        expected = np.zeros(ct.array.shape, bool)
        expected[box] = mask
        assert np.array_equal(found[name], expected)


def test_the_margin_is_cut_to_voxels_as_the_published_program_reads_their_size() -> None:
    """0.8 mm is a little more in a NIfTI file: 24 voxels, not 25."""
    geometry = Geometry((100, 100, 100), np.diag([0.8, 2.0, 1.0, 1.0]))
    assert box_of_extents([(40, 50, 30, 60, 5, 95)], geometry, 20.0) == (slice(0, 100), slice(20, 71), slice(16, 75))
    assert box_of_extents([], geometry, 20.0) is None


def test_where_nothing_is_found_the_network_does_not_run(models: Path, runs: Counter[str]) -> None:
    volume = block_volume((20, 24, 24), [((slice(8, 16), slice(8, 16), slice(8, 16)), KIDNEY)], SPACING)
    prepared = job(models, TASK)
    result, reported = run(volume, prepared)
    assert runs[dataset(prepared)] == 0 and sum(runs.values()) == 1
    assert [layer.any() for layer in result.layers] == [False] and result.absent == list(TASK_NAMES)
    values = reported.values_of("CROP_FOUND_NOTHING")
    assert values["model"] == TASK and values["by"] == COARSE and "lung_lower_lobe_left" in values["structures"]
    assert [each.model for each in reported.plans[-1].passes] == [COARSE]
    both, _reported = run(volume, job(models, TASK, CYSTS))
    assert [each.name for each in both.found] == ["kidney_cyst_left"], "another model is not kept from running"


def test_a_crop_may_need_a_model_that_is_cropped_itself(tmp_path: Path, runs: Counter[str]) -> None:
    teeth = (slice(12, 15), slice(12, 15), slice(12, 16))
    volume = block_volume((30, 26, 26), [((slice(9, 17), slice(9, 17), slice(9, 17)), 700), (teeth, 1500)], (4, 4, 4))
    make_hu_model(tmp_path, COARSE, {"skull": 700})
    make_hu_model(tmp_path, "craniofacial_structures", {"skull": 700, "teeth_upper": 1500}, (64, 64, 64))
    make_hu_model(tmp_path, "teeth", {"upper_jawbone": 1500}, (64, 64, 64))
    result, reported = run(volume, job(tmp_path, "teeth"))
    assert list(runs.values()) == [1, 1, 1]
    assert [each.model for each in reported.plans[-1].passes] == [COARSE, "craniofacial_structures", "teeth"]
    assert [each.purpose for each in reported.plans[-1].passes] == [CROPPING, CROPPING, SEGMENTATION]
    assert len(reported.plans) == 3 and [each.is_preliminary for each in reported.plans] == [True, True, False]
    assert np.array_equal(masks(result)["upper_jawbone"], volume.array == 1500)
    assert reported.tiles == (reported.plans[-1].tiles, reported.plans[-1].tiles)


def test_published_steps_work_on_all_labels_and_use_other_models(tmp_path: Path, runs: Counter[str]) -> None:
    """The bodies of vertebrae_pp_refined grow, and are then cut to those of vertebrae_body, which is asked for too."""
    spine = (slice(10, 30), slice(20, 30), slice(20, 30))
    level = (slice(12, 20), slice(22, 28), slice(22, 28))
    volume = block_volume((40, 44, 44), [(spine, 900), (level, 1500)], (1.5, 1.5, 1.5))
    make_hu_model(tmp_path, "vertebrae_pp_refined", {"vertebrae_L1": 1500})
    make_hu_model(tmp_path, "vertebrae_body", {"vertebrae_body": 900, "intervertebral_discs": 1500})
    refined = job(tmp_path, "vertebrae_pp_refined")
    runs.clear()
    both = job(tmp_path, "vertebrae_pp_refined", ("vertebrae_body", ["intervertebral_discs"]))
    result, _reported = run(volume, both)
    assert set(runs.values()) == {1} and len(runs) == 2
    found = masks(result)
    numbered = found["vertebrae_L1"]
    assert numbered.any() and not (numbered & (volume.array != 900)).any()
    assert np.array_equal(found["intervertebral_discs"], volume.array == 1500)
    assert np.array_equal(masks(run(volume, refined)[0])["vertebrae_L1"], numbered)


def test_images_resampled_alike_are_made_once(models: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = preprocessed_ct.oriented_image
    monkeypatch.setattr(
        preprocessed_ct, "oriented_image", lambda *arguments: made.append(arguments[1].spacing) or make(*arguments)
    )
    profile = {"profile": "totalsegmentator-2.18"}
    run(volume, job(models, (FAMILY, ["liver"]), ("117-3mm", ["kidney_right"]), **profile, crop="none"))
    assert made.count((3.0, 3.0, 3.0)) == 1 and len(made) == 2, "one for both at 3 mm, one for the localization"


def test_memory_that_runs_out_in_the_second_model_costs_the_first_nothing(
    models: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch, runs: Counter[str]
) -> None:
    prepared = job(models, (FAMILY, ["liver"]), TASK)
    expected = masks(run(volume, prepared)[0])
    runs.clear()
    predict, failed = part_prediction.predict, []

    def short_once(source, runner, *arguments):
        if runs[dataset(prepared)] and not failed:
            failed.append(True)
            raise MemoryError
        return predict(source, runner, *arguments)

    monkeypatch.setattr(part_prediction, "predict", short_once)
    result, reported = run(volume, prepared)
    assert failed and reported.warnings == ["MEMORY_FALLBACK"]
    assert runs.pop(dataset(prepared)) == 2 and set(runs.values()) == {1}
    assert not reported.plans[-1].keeps_networks
    assert reported.tiles == (reported.plans[-1].tiles, reported.plans[-1].tiles)
    assert all(np.array_equal(masks(result)[name], mask) for name, mask in expected.items())


def test_a_job_cancelled_in_its_second_model_leaves_nothing(
    models: Path, volume: Volume, runs: Counter[str], tmp_path: Path
) -> None:
    prepared = job(models, (FAMILY, ["liver"]), TASK)
    cache, written = EngineCache(), []

    class Files:
        def read(self, _reporter):
            return ReadInput(volume)

        def write(self, *_arguments):
            written.append(True)

    reporter = JobReporter("job", lambda _event: None, lambda: runs[dataset(prepared)] > 0)
    with pytest.raises(SegmentationError) as caught:
        run_job(prepared.task, Files(), cache, reporter)
    assert caught.value.code == "CANCELLED" and not written and runs[dataset(prepared)] == 1
    after = segment(volume, prepared, cache, SilentReporter())
    assert {each.name for each in after.found} == {"liver", *TASK_NAMES}


def test_progress_and_plan_are_of_the_whole_job(models: Path, volume: Volume) -> None:
    prepared = job(models, *REQUESTS)
    events: list[ProgressEvent] = []
    segment(volume, prepared, EngineCache(), JobReporter("job", events.append, clock=iter(range(10**6)).__next__))
    fractions = [each.fraction for each in events if isinstance(each, ProgressEvent)]
    assert fractions == sorted(fractions) and fractions[-1] > 0.9
    known = plan(volume, prepared)
    assert known.models == [FAMILY, "117-3mm", TASK, CYSTS]
    assert known.seconds >= sum(each.seconds for each in known.passes)
    alone = [plan(volume, job(models, request)).peak_bytes for request in REQUESTS]
    assert max(alone) <= known.peak_bytes < sum(alone)


def test_a_structure_of_two_models_is_refused(models: Path) -> None:
    with pytest.raises(SegmentationError) as caught:
        job(models, (FAMILY, ["liver", "spleen"]), ("117-3mm", ["liver"]))
    assert caught.value.code == "STRUCTURE_TWICE"
    assert caught.value.problem.values == {"structure": "liver", "first": FAMILY, "second": "117-3mm"}


def test_a_model_without_the_one_that_it_needs_is_refused(tmp_path: Path) -> None:
    make_hu_model(tmp_path, TASK, {"lung_nodules": NODULE})
    with pytest.raises(SegmentationError) as caught:
        job(tmp_path, TASK)
    assert caught.value.code == "MODEL_NEEDED" and caught.value.problem.values == {"model": TASK, "needed": COARSE}


def test_two_requests_of_one_model_are_one(models: Path) -> None:
    prepared = job(models, (FAMILY, ["liver"]), TASK, (FAMILY, ["spleen"]))
    assert [each.model.id for each in prepared.models] == [FAMILY, TASK]
    assert {each.name for each in prepared.models[0].structures} == {"liver", "spleen"}


def test_the_review_has_a_second_opinion_of_each_family(tmp_path: Path) -> None:
    """Each coarser model sees a block that its family's finer one does not."""
    first, second = (slice(4, 16), slice(4, 20), slice(4, 20)), (slice(24, 36), slice(24, 40), slice(22, 38))
    volume = block_volume((42, 44, 42), [(first, LUNG), (second, KIDNEY)], SPACING)
    make_hu_model(tmp_path, "104-1.5mm", {}, (32, 32, 32))
    make_hu_model(tmp_path, FAMILY, {"spleen": LUNG})
    make_hu_model(tmp_path, "117-3mm", {})
    make_hu_model(tmp_path, COARSE, {"prostate": KIDNEY})
    prepared = job(tmp_path, ("104-1.5mm", ["spleen"]), ("117-3mm", ["prostate"]))
    reviewed = dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, is_reviewed=True))
    result, reported = run(volume, reviewed)
    assert result.absent == ["spleen", "prostate"]
    assert [each.purpose for each in reported.plans[0].passes] == 2 * [LOCALIZATION] + 2 * [SEGMENTATION]
    assert [flag.structure for flag in result.flags if flag.rule == "missing_but_seen"] == ["prostate", "spleen"]


@pytest.mark.parametrize("is_found", [False, True])
def test_a_coarse_model_that_is_asked_for_something_else_still_gives_its_opinion(
    tmp_path: Path, is_found: bool
) -> None:
    first, second = (slice(4, 16), slice(4, 20), slice(4, 20)), (slice(24, 36), slice(24, 40), slice(22, 38))
    volume = block_volume((42, 44, 42), [(first, LUNG), (second, KIDNEY)], SPACING)
    make_hu_model(tmp_path, "104-1.5mm", {"spleen": LUNG} if is_found else {}, (32, 32, 32))
    make_hu_model(tmp_path, FAMILY, {"spleen": LUNG, "liver": KIDNEY})
    prepared = job(tmp_path, ("104-1.5mm", ["spleen"]), (FAMILY, ["liver"]))
    reviewed = dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, is_reviewed=True))
    result, reported = run(volume, reviewed)
    assert {each.name for each in result.found} == ({"spleen", "liver"} if is_found else {"liver"})
    assert [each.model for each in reported.plans[0].passes] == [FAMILY, "104-1.5mm"]
    of_spleen = {flag.rule for flag in result.flags if flag.structure == "spleen"}
    assert of_spleen.isdisjoint({"second_opinion"}) and ("missing_but_seen" in of_spleen) == (not is_found)


def test_a_part_that_turns_out_large_is_planned_anew_and_the_coarse_pass_is_not_run_again(
    models: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch, runs: Counter[str]
) -> None:
    """Before the lungs are found, nobody knows how much memory their nodules take."""
    prepared = job(models, TASK)
    expected, reported = run(volume, prepared)
    first, refined = reported.plans
    assert first.peak_bytes < refined.peak_bytes and first.tiles >= refined.tiles
    runs.clear()
    judged = []
    monkeypatch.setattr(segmentation, "fits", lambda plan, _strategy: judged.append(plan) or len(judged) > 1)
    result, reported = run(volume, prepared)
    assert set(runs.values()) == {1} and len(judged) == 1 and reported.warnings == []
    assert [each.is_preliminary for each in reported.plans] == [True, False]
    assert reported.tiles == (refined.tiles, refined.tiles)
    assert all(np.array_equal(masks(result)[name], mask) for name, mask in masks(expected).items())
