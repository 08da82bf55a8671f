"""Approximate jobs compute a few tiles exactly, too, and say how well their labels agree with the exact ones.

Models that answer by CT number alone (hu_models.py): where they run, labels do not depend on the region, so that all
that differs is what a region leaves out. Reduced precision is played by a runner that answers otherwise.
"""

from __future__ import annotations

import dataclasses
import gc
import math
import weakref
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from hu_models import block_volume, make_hu_model
from job_recorder import run
from one_model import model_task
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.inference import network, runtimes
from TotalSegmentatorEngine.inference.stored_runners import ready_networks
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner
from TotalSegmentatorEngine.inference.weight_prefetch import WeightPrefetch
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.models.find_model import Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline import segmentation, step_run
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.checking import early_check, step_check
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan, segment
from TotalSegmentatorEngine.plan import automatic_precision, memory_strategies
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import model_request
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SELF_CHECK

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

MODEL, COARSE = "117-1.5mm", "117-6mm"
PATCH = (32, 32, 32)
KIDNEY = 640
HARDLY_KIDNEY = 350
"""Half-way between the kidney and what is around it, 340, the network changes its mind."""
ROUNDED_HU = 20
NEAR = (slice(30, 50), slice(28, 44), slice(20, 40))
FAR = (slice(88, 108), slice(28, 44), slice(20, 40))
SHAPE = (112, 72, 72)


@pytest.fixture
def job(tmp_path: Path):
    """Makes a job for the kidney by a region, or with other options over the whole image."""
    make_hu_model(tmp_path, MODEL, {"kidney_left": KIDNEY}, PATCH)
    make_hu_model(tmp_path, COARSE, {"kidney_left": KIDNEY})

    def make(**options) -> PreparedTask:
        return prepare(model_task(MODEL, tmp_path, ["kidney_left"], "cpu", JobOptions(runtime="eager", **options)))

    return make


@pytest.fixture
def _rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a CPU without bfloat16 lacks: reduced precision, which takes doubtful voxels for background."""
    monkeypatch.setattr(runtimes, "has_bf16", lambda: True)
    run_tiles = EagerRunner.run

    def rounding(self: EagerRunner, tiles: torch.Tensor) -> torch.Tensor:
        if self.precision != "reduced":
            return run_tiles(self, tiles)
        monkeypatch.setattr(self, "precision", "exact")
        try:
            return run_tiles(self, tiles - ROUNDED_HU / 1000.0)
        finally:
            self.precision = "reduced"

    monkeypatch.setattr(EagerRunner, "run", rounding)


def doubtful(share: float, volume: Volume | None = None) -> Volume:
    """Two kidneys, or those of ``volume``, of which so many voxels are hardly any more."""
    volume = two_blocks() if volume is None else volume
    array = volume.array.copy()
    chance = np.random.default_rng(7).random(array.shape)
    array[(array == KIDNEY) & (chance < share)] = HARDLY_KIDNEY
    return dataclasses.replace(volume, array=array)


def two_blocks() -> Volume:
    return block_volume(SHAPE, [(NEAR, KIDNEY), (FAR, KIDNEY)])


def one_block() -> Volume:
    return block_volume(SHAPE, [(NEAR, KIDNEY)])


def agreeing(result: SegmentationResult, exact: SegmentationResult) -> float:
    ours, theirs = result.layers[0], exact.layers[0]
    foreground = (ours > 0) | (theirs > 0)
    return float((ours == theirs)[foreground].mean())


def test_few_structures_that_their_region_holds_agree(job) -> None:
    result, reported = run(one_block(), job())
    agreement = result.agreement
    assert agreement.approximations == ("regions",)
    assert agreement.foreground.value == agreement.voxels.value == 1.0 and agreement.foreground.low > 0.8
    assert 3 <= agreement.tiles < agreement.of_tiles and agreement.seconds > 0
    (planned,) = [each for each in reported.plans[-1].passes if each.purpose == SELF_CHECK]
    assert planned.tiles == agreement.tiles
    assert reported.tiles == (reported.plans[-1].tiles, reported.plans[-1].tiles)
    assert reported.warnings == []


def test_the_same_ct_has_the_same_tiles_checked(job) -> None:
    first, second = (run(one_block(), job())[0].agreement for _ in range(2))
    assert dataclasses.replace(first, seconds=0) == dataclasses.replace(second, seconds=0)


def test_the_exact_job_and_one_that_is_not_to_be_checked_say_nothing(job) -> None:
    for options in ({"self_check": False}, {"crop": "whole"}):
        result, reported = run(one_block(), job(**options))
        assert result.agreement is None
        assert SELF_CHECK not in [each.purpose for each in reported.plans[-1].passes]


@pytest.mark.usefixtures("_rounding")
@pytest.mark.parametrize(("share", "is_low"), [(0.005, False), (0.1, True)])
def test_reduced_precision_is_compared_with_exact(job, share: float, is_low: bool) -> None:
    volume = doubtful(share)
    exact, _reported = run(volume, job(crop="whole", precision="exact"))
    result, reported = run(volume, job(crop="whole", precision="reduced"))
    agreement, true = result.agreement, agreeing(result, exact)
    assert (result.options.precision, agreement.approximations) == ("reduced", ("reduced",))
    assert true == pytest.approx(1.0 - share, abs=0.01) and true < 1.0
    assert agreement.foreground.low < true < agreement.foreground.high
    assert agreement.foreground.value == pytest.approx(true, abs=0.3 * share)
    assert agreement.lowest_structure == "kidney_left"
    assert reported.warnings == (["AGREEMENT_LOW"] if is_low else [])


@pytest.mark.usefixtures("_rounding")
def test_the_threshold_is_the_users(job) -> None:
    result, reported = run(doubtful(0.1), job(crop="whole", precision="reduced", least_agreement=0.5))
    assert (result.agreement.threshold, reported.warnings) == (0.5, [])


class StoppableReporter(SilentReporter):
    is_cancelled = False

    def check_cancelled(self) -> None:
        if self.is_cancelled:
            raise SegmentationError("CANCELLED")


def test_a_job_is_cancelled_between_the_tiles_of_its_check(job, monkeypatch: pytest.MonkeyPatch) -> None:
    reporter, cell_labels, checked = StoppableReporter(), step_check.cell_labels, []

    def cancelling(*arguments) -> np.ndarray:
        checked.append(1)
        reporter.is_cancelled = True
        return cell_labels(*arguments)

    monkeypatch.setattr(step_check, "cell_labels", cancelling)
    with pytest.raises(SegmentationError) as ended:
        segment(one_block(), job(), EngineCache(), reporter)
    assert (ended.value.code, len(checked)) == ("CANCELLED", 1)


class _Failing:
    """Takes the place of what a check computes a tile with."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.calls = 0

    def __call__(self, *_arguments: object) -> np.ndarray:
        self.calls += 1
        raise self.error


@pytest.mark.usefixtures("_rounding")
@pytest.mark.parametrize(
    "error", [MemoryError("no room"), RuntimeError("a driver's"), SegmentationError("MODEL_DAMAGED", detail="x")]
)
def test_a_check_that_fails_leaves_the_labels_that_are_done(
    job, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Were it for want of memory, the job would run again by a plan with less, and fail with its last one."""
    options = {"crop": "whole", "precision": "reduced"}
    unchecked, _reported = run(one_block(), job(**options, self_check=False))
    failing = _Failing(error)
    monkeypatch.setattr(step_check, "cell_labels", failing)
    result, reported = run(one_block(), job(**options))
    assert (failing.calls, result.agreement, reported.warnings) == (1, None, ["AGREEMENT_UNKNOWN"])
    assert result.options.precision == "reduced"
    assert np.array_equal(result.layers[0], unchecked.layers[0])


# -- automatic precision -----------------------------------------------------------------------------------------------


LARGE = (slice(6, 106), slice(6, 66), slice(6, 66))


@pytest.fixture
def trying(monkeypatch: pytest.MonkeyPatch, job, _rounding):
    """Runs a job with automatic precision on a processor on which a second network is worth a try, as soon as the
    first job has shown how long its tiles take."""
    monkeypatch.setattr(automatic_precision, "has_bf16", lambda: True)
    monkeypatch.setattr(automatic_precision, "LEAST_GAIN_SECONDS", -math.inf)
    for module in (automatic_precision, early_check):
        monkeypatch.setattr(module, "LEAST_SPEED_UP", 0.0)

    def run_twice(share: float) -> tuple[SegmentationResult, SegmentationResult]:
        volume = doubtful(share, block_volume(SHAPE, [(LARGE, KIDNEY)]))
        exact, _reported = run(volume, job(crop="whole", precision="exact"))
        automatic, _reported = run(volume, job(crop="whole"))
        return exact, automatic

    return run_twice


def test_automatic_precision_is_reduced_where_the_ct_allows_it(trying) -> None:
    exact, automatic = trying(0.0005)
    assert automatic.options.precision == "reduced"
    assert automatic.agreement.approximations == ("reduced",)
    assert 0.995 < agreeing(automatic, exact) < 1.0
    assert automatic.agreement.foreground.low < agreeing(automatic, exact) < automatic.agreement.foreground.high


def test_automatic_precision_is_exact_where_the_ct_does_not(trying, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = []
    load_model = network.load_model
    monkeypatch.setattr(network, "load_model", lambda *arguments: loaded.append(1) or load_model(*arguments))
    exact, automatic = trying(0.05)
    assert len(loaded) == 3, "by the exact job, and in both precisions by the other one"
    assert (automatic.options.precision, automatic.agreement) == ("exact", None)
    assert np.array_equal(automatic.layers[0], exact.layers[0])


def test_labels_that_the_last_check_refuses_are_computed_exactly(trying, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_run, "is_reduced_enough", lambda *_arguments: True)
    exact, automatic = trying(0.05)
    assert (automatic.options.precision, automatic.agreement) == ("exact", None)
    assert np.array_equal(automatic.layers[0], exact.layers[0])


def test_automatic_precision_stays_exact_where_reduced_is_hardly_faster(
    trying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_check, "LEAST_SPEED_UP", 1e9)
    _exact, automatic = trying(0.0005)
    assert (automatic.options.precision, automatic.agreement) == ("exact", None)


@pytest.mark.parametrize("module", [early_check, step_check])
def test_automatic_precision_is_exact_where_a_check_fails(
    trying, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    failing = _Failing(MemoryError())
    monkeypatch.setattr(module, "cell_labels", failing)
    exact, automatic = trying(0.0005)
    assert failing.calls == 1
    assert (automatic.options.precision, automatic.agreement) == ("exact", None)
    assert np.array_equal(automatic.layers[0], exact.layers[0])


SPLEEN, HARDLY_SPLEEN = 400, 230
SECOND_MODEL = "117-3mm"


def two_models(models: Path, precision: str) -> PreparedTask:
    asked = (model_request(MODEL, ["kidney_left"]), model_request(SECOND_MODEL, ["spleen"]))
    options = JobOptions(runtime="eager", crop="whole", precision=precision)
    return prepare(SegmentationTask(asked, models, "cpu", options))


@pytest.mark.parametrize("has_room", [True, False], ids=["enough memory", "memory runs out after the first"])
def test_a_model_that_is_refused_does_not_make_the_one_before_exact(
    trying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_room: bool
) -> None:
    monkeypatch.setattr(step_run, "is_reduced_enough", lambda *_arguments: True)
    make_hu_model(tmp_path, SECOND_MODEL, {"spleen": SPLEEN}, PATCH)
    near, far = ((rows, *LARGE[1:]) for rows in (slice(6, 50), slice(62, 106)))
    slabs = [((slice(row, row + 6), *LARGE[1:]), HARDLY_SPLEEN) for row in range(62, 106, 12)]
    volume = block_volume(SHAPE, [(near, KIDNEY), (far, SPLEEN), *slabs])
    run(volume, two_models(tmp_path, "exact"))
    predict, ran = step_run.predict_uncut, []

    def short_once(prediction: object, part: Part, *arguments: object):
        ran.append(part.name)
        if len(ran) == 2 and not has_room:
            raise MemoryError
        return predict(prediction, part, *arguments)

    monkeypatch.setattr(step_run, "predict_uncut", short_once)
    automatic, reported = run(volume, two_models(tmp_path, "auto"))
    assert [ran.count(name) for name in dict.fromkeys(ran)] == [1, 2 if has_room else 3], "the second is refused"
    assert automatic.options.precision == "reduced", "the first model's labels are"
    assert reported.warnings == ([] if has_room else ["MEMORY_FALLBACK"])


def test_what_ran_is_known_where_memory_runs_out_in_the_end(job, monkeypatch: pytest.MonkeyPatch) -> None:
    layered, failed = segmentation.LayeredLabels, []

    def short_once(*arguments):
        if not failed:
            failed.append(True)
            raise MemoryError
        return layered(*arguments)

    monkeypatch.setattr(segmentation, "LayeredLabels", short_once)
    result, reported = run(one_block(), job())
    assert failed and reported.warnings == ["MEMORY_FALLBACK"]
    assert (result.options.runtime, result.options.precision) == ("eager", "exact")


# -- memory and weights ------------------------------------------------------------------------------------------------


@pytest.fixture
def made_labels(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Of each run of a network: of how many earlier runs the labels are in memory when it begins."""
    made: list[weakref.ref] = []
    alive: list[int] = []
    predict = step_run.predict_uncut

    def noted(*arguments):
        gc.collect()
        alive.append(sum(each() is not None for each in made))
        labels = predict(*arguments)
        made.append(weakref.ref(labels.on_grid))
        return labels

    monkeypatch.setattr(step_run, "predict_uncut", noted)
    return alive


def both_parts(models: Path, precision: str) -> PreparedTask:
    asked, options = ["kidney_left", "vertebrae_L1"], JobOptions(runtime="eager", crop="whole", precision=precision)
    return prepare(model_task(MODEL, models, asked, "cpu", options))


def test_the_next_network_is_read_ahead_after_an_early_check(
    trying, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    start = WeightPrefetch.start

    def noted(self: WeightPrefetch, folder: ModelFolder, *arguments: object) -> None:
        started.append(folder.path)
        start(self, folder, *arguments)

    volume = doubtful(0.0005, block_volume(SHAPE, [(LARGE, KIDNEY)]))
    run(volume, both_parts(tmp_path, "exact"))
    monkeypatch.setattr(WeightPrefetch, "start", noted)
    automatic = both_parts(tmp_path, "auto")
    run(volume, automatic)
    assert list(dict.fromkeys(started)) == [folder.path for folder in automatic.models[0].model.folders_to_run]


@pytest.mark.parametrize(("precision", "kept"), [("exact", [0, 0]), ("reduced", [0, 1])])
def test_labels_are_kept_only_where_they_are_checked(
    job, tmp_path: Path, made_labels: list[int], precision: str, kept: list[int]
) -> None:
    run(one_block(), both_parts(tmp_path, precision))
    assert made_labels == kept


def test_what_is_refused_has_gone_before_the_networks_run_again(
    trying, monkeypatch: pytest.MonkeyPatch, made_labels: list[int]
) -> None:
    monkeypatch.setattr(step_run, "is_reduced_enough", lambda *_arguments: True)
    trying(0.05)
    assert made_labels == [0, 0, 0], "once asked for exactly, once reduced, once exactly after all"


@pytest.mark.parametrize("has_reduced", [True, False])
def test_labels_that_may_be_checked_are_planned(job, monkeypatch: pytest.MonkeyPatch, has_reduced: bool) -> None:
    monkeypatch.setattr(automatic_precision, "has_bf16", lambda: has_reduced)
    monkeypatch.setattr(memory_strategies, "resident_memory", lambda: 0)
    automatic, exact = (plan(one_block(), job(crop="whole", precision=each)).peak_bytes for each in ("auto", "exact"))
    assert automatic - exact == pytest.approx(math.prod(SHAPE) if has_reduced else 0, rel=0.1), "a plan rounds up"


def test_the_automatic_precision_takes_the_stored_networks_of_the_exact_one() -> None:
    automatic, exact, reduced = (
        ready_networks(JobOptions(precision=precision), "cpu") for precision in ("auto", "exact", "reduced")
    )
    assert automatic == exact != reduced
