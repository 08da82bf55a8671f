"""Memory that is short: another strategy is planned before a job fails, and tried where it fails all the same."""

from __future__ import annotations

import dataclasses
import gc
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from catalogue_jobs import EAGER, MODEL, folder_job, whole_set
from engine_support import blobs_volume
from hu_models import block_volume, make_hu_model
from job_recorder import JobRecorder, run
from one_model import model_task, with_changes
from planned_steps import localized_state, requested_grid, requested_step
from seeded_models import make_model_folder
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.inference import sliding_window
from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.tile_runner import GPU_TILE_BATCH, TileRunner
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import architecture_key, read_model_folder
from TotalSegmentatorEngine.pipeline import network_pool, part_prediction
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan, segment
from TotalSegmentatorEngine.plan.memory_estimate import loaded_key, sums_bytes
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, execution_strategies
from TotalSegmentatorEngine.plan.planner import PEAK_MARGIN, Planner
from TotalSegmentatorEngine.preprocessing.network_input import image_place
from TotalSegmentatorWire.errors.problem import WARNINGS, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SUMS_IN_HALF, SUMS_IN_MEMORY, SUMS_ON_DISK, Plan

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

# -- before a job ------------------------------------------------------------------------------------------------------


def planner(volume: Volume, prepared: PreparedTask, machine: MachineProfile | None = None, **state) -> Planner:
    """On a machine of which only ``state`` is known."""
    state = {"resident_bytes": 0, "available_bytes": 2**50, **state}
    return Planner(volume.geometry, prepared, PlanningContext(machine or MachineProfile(), **state))


STRATEGIES = execution_strategies("cpu", "eager", "exact", keeps_networks=True)
NOTES = [
    [],
    ["ONE_NETWORK_AT_A_TIME"],
    ["ONE_NETWORK_AT_A_TIME", "SUMS_IN_HALF"],
    ["ONE_NETWORK_AT_A_TIME", "SUMS_ON_DISK"],
]


def peak_of_each_strategy(volume: Volume, prepared: PreparedTask) -> list[int]:
    return [planner(volume, prepared).plan(strategy).peak_bytes for strategy in STRATEGIES]


def test_each_strategy_takes_less_than_the_one_before(models: Path, volume: Volume) -> None:
    peaks = peak_of_each_strategy(volume, whole_set(models))
    assert peaks == sorted(set(peaks), reverse=True) and len(peaks) == 4


@pytest.mark.parametrize("number", range(4))
def test_a_job_is_planned_by_the_first_strategy_that_fits(
    models: Path, volume: Volume, monkeypatch, number: int
) -> None:
    prepared = whole_set(models)
    with monkeypatch.context() as limited:
        limited_to(limited, peak_of_each_strategy(volume, prepared)[number])
        result, reported = run(volume, prepared)
    (planned,) = reported.plans
    assert planned.notes == NOTES[number] and set(planned.notes) <= set(WARNINGS)
    assert planned.keeps_networks == (number == 0)
    assert planned.sums == (SUMS_IN_MEMORY, SUMS_IN_MEMORY, SUMS_IN_HALF, SUMS_ON_DISK)[number]
    assert planned.peak_bytes <= planned.available_bytes
    assert reported.warnings == [], "the plan itself says what was changed"
    assert_same(result, run(volume, prepared)[0], planned)


def test_memory_that_is_too_short_for_every_strategy_is_reported_before_anything_runs(
    models: Path, volume: Volume, monkeypatch
) -> None:
    prepared = whole_set(models)
    least = peak_of_each_strategy(volume, prepared)[-1]
    limited_to(monkeypatch, least - 1)
    cache = EngineCache()
    for begin in (partial(run, volume, prepared, cache), partial(plan, volume, prepared)):
        with pytest.raises(SegmentationError) as caught:
            begin()
        assert caught.value.code == "MEMORY_SHORT"
        values = caught.value.problem.values
        assert values["needed_gb"] == pytest.approx(least / 1e9)
        assert values["needed_gb"] > values["free_gb"] == pytest.approx((least - 1) / 1e9)
    assert not cache.held_folders()


def test_where_there_is_no_next_job_networks_are_loaded_one_at_a_time() -> None:
    strategies = execution_strategies("cpu", "eager", "exact", keeps_networks=False)
    assert [list(strategy.notes) for strategy in strategies] == [[], ["SUMS_IN_HALF"], ["SUMS_ON_DISK"]]
    assert [strategy.sums for strategy in strategies] == [SUMS_IN_MEMORY, SUMS_IN_HALF, SUMS_ON_DISK]
    assert not any(strategy.keeps_networks for strategy in strategies)


def test_a_network_leaves_pytorch_when_openvino_has_it(models: Path, volume: Volume, monkeypatch) -> None:
    """Cycles in PyTorch's own objects would keep it until Python collects them, and five networks together."""
    pytest.importorskip("openvino")
    choose_runtime, seen, alive = network_pool.choose_runtime, [], []

    def noting(model: LoadedModel, *arguments: object) -> TileRunner:
        alive.append(sum(network() is not None for network in seen))
        seen.extend(map(weakref.ref, model.networks))
        return choose_runtime(model, *arguments)

    monkeypatch.setattr(network_pool, "choose_runtime", noting)
    gc.disable()
    try:
        run(volume, whole_set(models, JobOptions(runtime="openvino")))
    finally:
        gc.enable()
    assert alive == [0] * 5


def test_where_the_memory_is_unknown_the_fastest_strategy_is_taken(models: Path, volume: Volume) -> None:
    planned, left = planner(volume, whole_set(models), available_bytes=None).first_that_fits(STRATEGIES)
    assert planned.notes == [] and planned.available_bytes is None and left == STRATEGIES


def test_the_process_itself_counts_as_needed_and_as_available(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    bare = planner(volume, prepared).plan(STRATEGIES[0])
    beside = planner(volume, prepared, resident_bytes=10**9, available_bytes=2 * 10**9).plan(STRATEGIES[0])
    assert beside.peak_bytes == bare.peak_bytes + 10**9
    assert beside.available_bytes == 3 * 10**9


def test_what_is_in_memory_already_needs_no_more(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    folders = frozenset(str(part.folder.path.resolve()) for part in prepared.models[0].model.parts)
    fresh = planner(volume, prepared).plan(STRATEGIES[0]).peak_bytes
    loaded = planner(volume, prepared, loaded=folders).plan(STRATEGIES[0]).peak_bytes
    step = requested_step(planner(volume, prepared))
    image = image_place(None, step.model.profile, step.folders[0])
    with_image = planner(volume, prepared, loaded=folders, images=frozenset([image])).plan(STRATEGIES[0]).peak_bytes
    stored = sum(path.stat().st_size for part in prepared.models[0].model.parts for path in part.folder.checkpoints)
    assert fresh - loaded >= stored
    voxels = np.prod(requested_grid(planner(volume, prepared), volume.geometry).shape)
    assert loaded - with_image == pytest.approx(PEAK_MARGIN * 2 * voxels, abs=2), "whole HU, two bytes each"


def test_measured_memory_takes_the_place_of_the_estimate(tmp_path: Path, volume: Volume) -> None:
    prepared = folder_job(make_model_folder(tmp_path / "D"))
    folder, machine = prepared.models[0].model.parts[0].folder, MachineProfile()
    strategy = STRATEGIES[1]
    estimated = planner(volume, prepared).plan(strategy).peak_bytes
    machine.remember_activations(architecture_key(folder), "eager", "exact", "cpu", 0)
    machine.remember_bytes(loaded_key(folder, "eager", "exact", "cpu"), 70_000_000)
    measured = planner(volume, prepared, machine).plan(strategy).peak_bytes
    assert 70_000_000 < measured < estimated
    machine.remember_activations(architecture_key(folder), "eager", "exact", "cpu", 5_000_000)
    assert planner(volume, prepared, machine).plan(strategy).peak_bytes == pytest.approx(
        measured + PEAK_MARGIN * 5_000_000
    )
    machine.remember_bytes(loaded_key(folder, "eager", "exact", "cpu"), 2**43)
    assert planner(volume, prepared, machine).plan(strategy).peak_bytes < 10 * estimated, (
        "no measurement refuses every job"
    )


def test_all_regions_lie_in_one_resampled_image(tmp_path: Path) -> None:
    volume = block_volume((80, 60, 60), [], (3.0, 3.0, 3.0))
    make_hu_model(tmp_path, MODEL, {})
    prepared = prepare(model_task(MODEL, tmp_path, ["spleen", "heart"], "cpu", EAGER))
    work = planner(volume, prepared)
    names = [part.name for part in requested_step(work).parts]
    near, far = (slice(0, 20),) * 3, (slice(100, 120),) * 3
    close = work.plan(STRATEGIES[0], localized_state(work, dict(zip(names, (near, near), strict=True))))
    apart = work.plan(STRATEGIES[0], localized_state(work, dict(zip(names, (near, far), strict=True))))
    assert apart.tiles == close.tiles
    assert apart.peak_bytes - close.peak_bytes == pytest.approx(PEAK_MARGIN * 2 * (120**3 - 20**3), abs=2)


@pytest.mark.parametrize("sums", [SUMS_IN_MEMORY, SUMS_IN_HALF, SUMS_ON_DISK])
@pytest.mark.parametrize(
    ("labels", "folds", "average"), [(9, 1, "logits"), (2, 1, "logits"), (9, 2, "logits"), (9, 1, "softmax")]
)
def test_sums_take_the_memory_that_was_planned_for_them(
    tmp_path: Path, monkeypatch, sums: str, labels: int, folds: int, average: str
) -> None:
    """Sums of features where there are fewer of them than labels, else of labels."""
    names = [f"structure_{number}" for number in range(labels)]
    folder = make_model_folder(tmp_path / "D", names, folds=folds)
    prepared = folder_job(folder)
    profile = dataclasses.replace(prepared.models[0].model.profile, average=average)
    prepared = with_changes(prepared, model=dataclasses.replace(prepared.models[0].model, profile=profile))
    volume = blobs_volume((30, 20, 12), (3.0, 3.0, 3.0))
    strategy = next(strategy for strategy in STRATEGIES if strategy.sums == sums)
    limited_to(monkeypatch, planner(volume, prepared).plan(strategy).peak_bytes)
    taken: list[int] = []

    class MeasuredSums(sliding_window.TileSums):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            taken.append(self.nbytes)

    monkeypatch.setattr(sliding_window, "TileSums", MeasuredSums)
    _result, reported = run(volume, prepared)
    planned = reported.plans[-1]
    assert planned.sums == sums
    assert taken == [sums_bytes(read_model_folder(folder), (30, 20, 12), profile, planned)]


def limited_to(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A machine that has ``count`` bytes for the process, all of them free."""
    limited = partial(PlanningContext, resident_bytes=0, available_bytes=count)
    monkeypatch.setattr("TotalSegmentatorEngine.pipeline.job_planning.PlanningContext", limited)


def assert_same(result: SegmentationResult, expected: SegmentationResult, planned: Plan) -> None:
    """Only sums in half precision may change a label, where two of them are nearly tied."""
    if planned.sums == SUMS_IN_HALF:
        assert (result.layers[0] == expected.layers[0]).mean() >= 0.997
    else:
        assert np.array_equal(result.layers[0], expected.layers[0])


# -- memory that runs out all the same ---------------------------------------------------------------------------------

OUT_OF_MEMORY = {
    "PyTorch": RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
    "NumPy": MemoryError("Unable to allocate 9.00 GiB for an array"),
    "OpenVINO": RuntimeError("Exception from src/inference: std::bad_alloc"),
}


def runs_fail(
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    first: int = 0,
    times: int = 99,
    observe: Callable[[], object] = lambda: None,
) -> list[object]:
    """Of all runs of networks ``times`` fail, from number ``first`` on. Returns what ``observe`` gave
    as each run began."""
    real, seen = part_prediction.predict, []

    def predict(*arguments, **keywords) -> None:
        seen.append(observe())
        if first < len(seen) <= first + times:
            raise error
        real(*arguments, **keywords)

    monkeypatch.setattr(part_prediction, "predict", predict)
    return seen


@pytest.mark.parametrize(("times", "source"), [(1, "PyTorch"), (2, "NumPy"), (3, "OpenVINO")])
def test_a_job_whose_memory_runs_out_continues_with_less(
    models: Path, volume: Volume, monkeypatch, times: int, source: str
) -> None:
    prepared = whole_set(models)
    expected, _reported = run(volume, prepared)
    runs_fail(monkeypatch, OUT_OF_MEMORY[source], times=times)
    result, reported = run(volume, prepared)
    assert [planned.notes for planned in reported.plans] == NOTES[: times + 1]
    assert reported.warnings == ["MEMORY_FALLBACK"], "reported once"
    last = reported.plans[-1]
    assert reported.tiles == (last.tiles, last.tiles)
    assert_same(result, expected, last)


def test_after_the_last_strategy_memory_is_short_and_no_network_stays(
    models: Path, volume: Volume, monkeypatch
) -> None:
    prepared, cache = whole_set(models), EngineCache()
    run(volume, prepared, cache)
    assert len(cache.held_folders()) == 5
    begun = runs_fail(monkeypatch, OUT_OF_MEMORY["PyTorch"])
    with pytest.raises(SegmentationError) as caught:
        run(volume, prepared, cache)
    assert caught.value.code == "MEMORY_SHORT"
    assert len(begun) == len(STRATEGIES)
    assert not cache.held_folders()


class CountingCache(EngineCache):
    """Counts the networks that are loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded = 0

    def runner(self, folder, variant, make, keep=1) -> TileRunner:
        def counted() -> TileRunner:
            self.loaded += 1
            return make()

        return super().runner(folder, variant, counted, keep)


def test_networks_are_forgotten_before_the_next_strategy_begins(models: Path, volume: Volume, monkeypatch) -> None:
    prepared, cache = whole_set(models), CountingCache()
    run(volume, prepared, cache)
    error = OUT_OF_MEMORY["NumPy"]
    held = runs_fail(monkeypatch, error, times=1, observe=lambda: len(cache.held_folders()))
    run(volume, prepared, cache)
    assert held == [5, 1, 1, 1, 1, 1], "one network at a time"
    assert cache.loaded == 5 + 5, "the one that failed, too, is loaded again"


def test_strategies_that_do_not_fit_any_more_are_not_tried(models: Path, volume: Volume, monkeypatch) -> None:
    """When the job fails, the machine has much less than it had when the job was planned."""
    sizes = iter([2**40])  # for the plan

    def shrinking(*known) -> PlanningContext:
        return PlanningContext(*known, resident_bytes=0, available_bytes=next(sizes, 10**6))

    monkeypatch.setattr("TotalSegmentatorEngine.pipeline.job_planning.PlanningContext", shrinking)
    begun = runs_fail(monkeypatch, OUT_OF_MEMORY["NumPy"])
    recorder = JobRecorder()
    with pytest.raises(SegmentationError) as caught:
        segment(volume, whole_set(models), EngineCache(), recorder.reporter)
    assert caught.value.code == "MEMORY_SHORT" and caught.value.problem.values["free_gb"] == pytest.approx(0.001)
    assert len(begun) == len(recorder.plans) == 1


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("out of memory")])
def test_other_failures_are_not_tried_again(models: Path, volume: Volume, monkeypatch, error: Exception) -> None:
    begun = runs_fail(monkeypatch, error)
    recorder = JobRecorder()
    with pytest.raises(type(error), match=str(error)):
        segment(volume, whole_set(models), EngineCache(), recorder.reporter)
    assert len(begun) == 1 and recorder.warnings == []


# -- a graphics card whose memory runs out: all faked, no real one was there -------------------------------------------


@pytest.fixture
def faked_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch says that there is a CUDA device; it is out of memory as soon as a network is to run on it."""
    runner = NetworkPool.runner

    def full(self: NetworkPool, *arguments) -> TileRunner:
        if self._plan.device.startswith("cuda"):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (faked)")
        return runner(self, *arguments)

    monkeypatch.setattr(NetworkPool, "runner", full)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * 10**8, 8 * 10**9))


def test_on_a_faked_gpu_tile_batches_then_sums_then_the_cpu(models: Path, volume: Volume, faked_gpu) -> None:
    result, reported = run(volume, whole_set(models, device="auto"))
    *on_gpu, on_cpu = reported.plans
    assert [planned.device for planned in on_gpu] == ["cuda:0"] * (GPU_TILE_BATCH + 1)
    assert [planned.tile_batch for planned in on_gpu] == [*range(GPU_TILE_BATCH, 0, -1), 1]
    assert [planned.sums_on_host for planned in on_gpu] == [False] * GPU_TILE_BATCH + [True]
    assert [planned.notes for planned in on_gpu] == [[]] * GPU_TILE_BATCH + [["DEVICE_MEMORY_SUMS"]]
    assert {planned.precision for planned in on_gpu} == {"published"}
    assert (on_cpu.device, on_cpu.precision, on_cpu.tile_batch, on_cpu.notes) == ("cpu", "exact", 1, [])
    assert reported.warnings == ["MEMORY_FALLBACK", "DEVICE_FALLBACK"]
    assert reported.values_of("DEVICE_FALLBACK") == {"device": "cuda:0"}
    assert reported.tiles == (on_cpu.tiles, on_cpu.tiles)
    assert np.array_equal(result.layers[0], run(volume, whole_set(models))[0].layers[0])


def test_in_float32_a_faked_gpu_runs_one_tile_at_a_time(models: Path, volume: Volume, faked_gpu) -> None:
    exact = JobOptions(runtime="eager", precision="exact")
    _result, reported = run(volume, whole_set(models, exact, device="auto"))
    assert [(planned.device, planned.tile_batch, planned.sums_on_host) for planned in reported.plans] == [
        ("cuda:0", 1, False),
        ("cuda:0", 1, True),
        ("cpu", 1, False),
    ]


def test_a_faked_gpu_that_was_requested_by_name_is_not_replaced(models: Path, volume: Volume, faked_gpu) -> None:
    recorder, cache = JobRecorder(), EngineCache()
    with pytest.raises(SegmentationError) as caught:
        segment(volume, whole_set(models, device="cuda"), cache, recorder.reporter)
    assert caught.value.code == "DEVICE_MEMORY_SHORT"
    assert caught.value.problem.values == {"free_gb": pytest.approx(0.3)}
    assert {planned.device for planned in recorder.plans} == {"cuda:0"}
    assert recorder.warnings == ["MEMORY_FALLBACK"]


def test_a_gpus_plan_is_not_refused_for_the_computers_memory(models: Path, volume: Volume) -> None:
    strategy = execution_strategies("cuda:0", "eager", "published", keeps_networks=True)[0]
    assert planner(volume, whole_set(models), available_bytes=1).first_that_fits([strategy])[0].device == "cuda:0"
