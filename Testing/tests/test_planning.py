"""Plans hold: the tiles that run, the time a job takes once this machine is known, and the memory that is planned around
before it fails and when it fails all the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from engine_support import blobs_volume, one_thread
from hu_models import block_volume, make_hu_model
from job_recorder import JobRecorder
from seeded_models import configuration_settings, dataset_json_of, make_catalogue_model, make_model_folder, plans_of
from TotalSegmentatorEngine import model_run, run_record, sliding_window
from TotalSegmentatorEngine.geometry import Volume
from TotalSegmentatorEngine.machine_profile import MachineProfile, architecture_key
from TotalSegmentatorEngine.memory_estimate import loaded_key, sums_bytes
from TotalSegmentatorEngine.model_folder import read_model_folder
from TotalSegmentatorEngine.pipeline import EngineCache, SegmentationTask, plan, prepare, segment
from TotalSegmentatorEngine.planning import Planner, Surroundings, ways_of
from TotalSegmentatorEngine.reporting import SilentReporter
from TotalSegmentatorEngine.run_record import RunRecord
from TotalSegmentatorEngine.task import PreparedTask
from TotalSegmentatorEngine.tile_runner import GPU_TILE_BATCH, TileRunner
from TotalSegmentatorWire.catalogue import read_profiles
from TotalSegmentatorWire.errors import WARNINGS, SegmentationError
from TotalSegmentatorWire.options import JobOptions
from TotalSegmentatorWire.plan import OVERVIEW, SUMS_IN_HALF, SUMS_IN_MEMORY, SUMS_ON_DISK, Plan

__all__ = ["one_thread"]  # a fixture

MODEL = "117-1.5mm"
EAGER = JobOptions(runtime="eager")


@pytest.fixture(autouse=True)
def fresh_measurements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing was measured yet."""
    monkeypatch.setenv("TOTALSEGMENTATOR_CACHE", str(tmp_path / "measurements"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, MODEL)
    return folder


@pytest.fixture(scope="module")
def volume() -> Volume:
    return blobs_volume((20, 24, 22), (2.4, 2.0, 1.9))


def whole_set(models: Path, options: JobOptions = EAGER, device: str = "cpu") -> PreparedTask:
    return prepare(SegmentationTask(MODEL, models, device=device, options=options))


def folder_job(folder: Path, options: JobOptions = EAGER) -> PreparedTask:
    return prepare(SegmentationTask(str(folder), Path(), device="cpu", options=options))


def run(volume: Volume, prepared: PreparedTask, cache: EngineCache | None = None) -> tuple[np.ndarray, JobRecorder]:
    recorder = JobRecorder()
    cache = EngineCache() if cache is None else cache
    return segment(volume, prepared, cache, recorder.reporter).labels, recorder


# -- tiles -------------------------------------------------------------------------------------------------------------


def transposed_folder(folder: Path) -> PreparedTask:
    settings = configuration_settings((16, 16, 8), (3.0, 2.0, 4.0))
    return folder_job(make_model_folder(folder / "D", plans=plans_of(settings, transpose_forward=(1, 2, 0))))


def cut_in_three(folder: Path) -> PreparedTask:
    """A model of the catalogue for which every image of more than 200 slices is a large one."""
    make_catalogue_model(folder, MODEL)
    prepared = whole_set(folder)
    profile = dataclasses.replace(prepared.model.profile, split_above_voxels=1)
    return dataclasses.replace(prepared, model=dataclasses.replace(prepared.model, profile=profile))


def two_structures(folder: Path) -> PreparedTask:
    for model in (MODEL, "117-6mm"):
        make_hu_model(folder, model, {"spleen": 640, "heart": -560})
    return prepare(SegmentationTask(MODEL, folder, ["spleen", "heart"], "cpu", EAGER))


TWO_BLOCKS = [((slice(5, 17), slice(5, 17), slice(5, 17)), 640), ((slice(60, 72), slice(30, 42), slice(30, 42)), -560)]
TILE_CASES: dict[str, tuple[Callable[[Path], PreparedTask], Volume, int]] = {
    "resampled by the plans": (transposed_folder, blobs_volume((20, 34, 26), (3.0, 3.0, 3.0)), 1),
    "smaller than the patch": (transposed_folder, blobs_volume((5, 40, 11), (3.0, 3.0, 3.0)), 1),
    "cut in three": (cut_in_three, blobs_volume((211, 16, 18), (1.5, 1.5, 1.5)), 5),
    "cropped to structures": (two_structures, block_volume((90, 60, 60), TWO_BLOCKS), 3),
}


@pytest.mark.parametrize("name", TILE_CASES)
def test_the_tiles_that_are_planned_are_the_ones_that_run(tmp_path: Path, name: str) -> None:
    make, volume, passes = TILE_CASES[name]
    _labels, said = run(volume, make(tmp_path))
    planned = said.plans[-1]
    assert len(planned.passes) == passes
    assert said.tiles == (planned.tiles, planned.tiles)
    assert planned.tiles == sum(part.tiles for part in planned.passes) > passes


def test_the_command_plans_what_the_job_plans(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    alone = plan(volume, prepared)
    _labels, said = run(volume, prepared, EngineCache(serves_one_job=True))
    (told,) = said.plans
    assert alone.passes == told.passes and alone.tiles == told.tiles
    assert (alone.model, alone.profile, alone.device) == (MODEL, "totalsegmentator-2.18", "cpu")
    assert alone.keeps_networks == told.keeps_networks is False
    assert not alone.is_preliminary


# -- time, runtime, precision ------------------------------------------------------------------------------------------


def test_the_time_is_known_once_the_machine_has_measured_it(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    before = plan(volume, prepared)
    assert before.seconds is None and all(part.seconds is None for part in before.passes)
    run(volume, prepared)
    after = plan(volume, prepared)
    assert all(part.seconds > 0 for part in after.passes)
    assert after.seconds >= sum(part.seconds for part in after.passes)
    larger = plan(blobs_volume((60, 24, 22), (2.4, 2.0, 1.9)), prepared)
    assert larger.tiles > after.tiles and larger.seconds > after.seconds


def test_a_job_that_failed_has_measured_the_machine_too(models: Path, volume: Volume, monkeypatch) -> None:
    prepared = whole_set(models)
    runs_fail(monkeypatch, SegmentationError("CANCELLED"), first=1)
    with pytest.raises(SegmentationError) as caught:
        run(volume, prepared)
    assert caught.value.code == "CANCELLED"
    assert plan(volume, prepared).seconds is not None


def one_second_a_tile(prepared: PreparedTask) -> MachineProfile:
    """A machine that takes a second for each tile and for nothing else."""
    machine = MachineProfile()
    for model in (prepared.model, prepared.overview):
        for part in model.parts:
            if part.folder is not None:
                key = architecture_key(part.folder)
                machine.remember_network(key, "eager", "exact", "cpu", 1.0, 1.0, tiles=10)
    return machine


def test_a_refined_plan_counts_the_overview_as_time_that_has_passed(tmp_path: Path) -> None:
    volume = block_volume((90, 60, 60), TWO_BLOCKS)
    prepared = two_structures(tmp_path)
    machine = one_second_a_tile(prepared)
    way = ways_of("cpu", "eager", "exact", keeps_networks=True)[0]
    first = Planner(volume.geometry, prepared, Surroundings(machine, elapsed_seconds=2.0)).plan(way)
    assert first.seconds == 2.0 + first.tiles
    assert first.elapsed_seconds == 2.0
    passed = 2.0 + first.passes[0].tiles
    planner = Planner(volume.geometry, prepared, Surroundings(machine, elapsed_seconds=passed))
    region = (slice(0, 30), slice(0, 30), slice(0, 30))
    organs, cardiac = (part.name for part in planner.parts)
    refined = planner.plan(way, {organs: region, cardiac: None})
    assert [part.purpose == OVERVIEW for part in refined.passes] == [True, False]
    assert refined.seconds == passed + refined.passes[1].tiles < first.seconds


@pytest.mark.parametrize("precision", ["auto", "reduced"])
def test_a_plan_names_what_computes(tmp_path: Path, volume: Volume, precision: str) -> None:
    """The first job tries the runtimes out; from then on the plan names the one that was found."""
    prepared = folder_job(make_model_folder(tmp_path / "D"), JobOptions(precision=precision))
    result = segment(volume, prepared, EngineCache(), SilentReporter())
    planned = plan(volume, prepared)
    assert (planned.runtime, planned.precision) == (result.options.runtime, result.options.precision)
    assert planned.runtime in ("openvino", "eager", "compiled")
    assert planned.precision in ("exact", "reduced")
    eager = dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, options=EAGER))
    assert (plan(volume, eager).runtime, plan(volume, eager).precision) == ("eager", "exact")


# -- memory that is planned around -------------------------------------------------------------------------------------


def planner(volume: Volume, prepared: PreparedTask, machine: MachineProfile | None = None, **around) -> Planner:
    """On a machine of which nothing but ``around`` is known."""
    around = {"resident_bytes": 0, "available_bytes": 2**50, **around}
    return Planner(volume.geometry, prepared, Surroundings(machine or MachineProfile(), **around))


WAYS = ways_of("cpu", "eager", "exact", keeps_networks=True)
NOTES = [
    [],
    ["ONE_NETWORK_AT_A_TIME"],
    ["ONE_NETWORK_AT_A_TIME", "SUMS_IN_HALF"],
    ["ONE_NETWORK_AT_A_TIME", "SUMS_ON_DISK"],
]


def peaks_of_the_ways(volume: Volume, prepared: PreparedTask) -> list[int]:
    return [planner(volume, prepared).plan(way).peak_bytes for way in WAYS]


def test_each_way_takes_less_than_the_one_before(models: Path, volume: Volume) -> None:
    peaks = peaks_of_the_ways(volume, whole_set(models))
    assert peaks == sorted(set(peaks), reverse=True) and len(peaks) == 4


@pytest.mark.parametrize("number", range(4))
def test_a_job_is_planned_in_the_first_way_that_fits(models: Path, volume: Volume, monkeypatch, number: int) -> None:
    prepared = whole_set(models)
    limited_to(monkeypatch, peaks_of_the_ways(volume, prepared)[number])
    labels, said = run(volume, prepared)
    (planned,) = said.plans
    assert planned.notes == NOTES[number] and set(planned.notes) <= set(WARNINGS)
    assert planned.keeps_networks == (number == 0)
    assert planned.sums == (SUMS_IN_MEMORY, SUMS_IN_MEMORY, SUMS_IN_HALF, SUMS_ON_DISK)[number]
    assert planned.peak_bytes <= planned.available_bytes
    assert said.warnings == [], "what was planned around is told by the plan"
    monkeypatch.undo()
    _assert_same(labels, run(volume, prepared)[0], planned)


def test_memory_that_is_too_short_for_every_way_is_told_before_anything_runs(
    models: Path, volume: Volume, monkeypatch
) -> None:
    prepared = whole_set(models)
    least = peaks_of_the_ways(volume, prepared)[-1]
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
    ways = ways_of("cpu", "eager", "exact", keeps_networks=False)
    assert [list(way.notes) for way in ways] == [[], ["SUMS_IN_HALF"], ["SUMS_ON_DISK"]]
    assert [way.sums for way in ways] == [SUMS_IN_MEMORY, SUMS_IN_HALF, SUMS_ON_DISK]
    assert not any(way.keeps_networks for way in ways)


def test_where_the_system_does_not_tell_its_memory_the_fastest_way_is_taken(models: Path, volume: Volume) -> None:
    planned, left = planner(volume, whole_set(models), available_bytes=None).fitting(WAYS)
    assert planned.notes == [] and planned.available_bytes is None and left == WAYS[1:]


def test_the_process_itself_counts_as_needed_and_as_available(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    bare = planner(volume, prepared).plan(WAYS[0])
    beside = planner(volume, prepared, resident_bytes=10**9, available_bytes=2 * 10**9).plan(WAYS[0])
    assert beside.peak_bytes == bare.peak_bytes + 10**9
    assert beside.available_bytes == 3 * 10**9


def test_what_is_in_memory_already_needs_no_more(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    folders = frozenset(str(part.folder.path.resolve()) for part in prepared.model.parts)
    fresh = planner(volume, prepared).plan(WAYS[0]).peak_bytes
    loaded = planner(volume, prepared, loaded=folders).plan(WAYS[0]).peak_bytes
    with_image = planner(volume, prepared, loaded=folders, has_image=True).plan(WAYS[0]).peak_bytes
    stored = sum(path.stat().st_size for part in prepared.model.parts for path in part.folder.checkpoints)
    assert fresh - loaded >= stored
    voxels = np.prod(planner(volume, prepared).grid.shape)
    assert loaded - with_image == 2 * voxels, "whole HU, two bytes each"


def test_measured_memory_takes_the_place_of_the_estimate(tmp_path: Path, volume: Volume) -> None:
    prepared = folder_job(make_model_folder(tmp_path / "D"))
    folder, machine = prepared.model.parts[0].folder, MachineProfile()
    way = WAYS[1]
    estimated = planner(volume, prepared).plan(way).peak_bytes
    machine.remember_activations(architecture_key(folder), "eager", "exact", "cpu", 0)
    machine.remember_bytes(loaded_key(folder, "eager", "exact", "cpu"), 70_000_000)
    measured = planner(volume, prepared, machine).plan(way).peak_bytes
    assert 70_000_000 < measured < estimated
    machine.remember_activations(architecture_key(folder), "eager", "exact", "cpu", 5_000_000)
    assert planner(volume, prepared, machine).plan(way).peak_bytes == measured + 5_000_000
    machine.remember_bytes(loaded_key(folder, "eager", "exact", "cpu"), 2**43)
    assert planner(volume, prepared, machine).plan(way).peak_bytes < 10 * estimated, "no measurement refuses every job"


def test_all_regions_lie_in_one_resampled_image(tmp_path: Path) -> None:
    volume = block_volume((80, 60, 60), [], (3.0, 3.0, 3.0))
    prepared = two_structures(tmp_path)
    work = planner(volume, prepared)
    names = [part.name for part in work.parts]
    near, far = (slice(0, 20),) * 3, (slice(100, 120),) * 3
    close = work.plan(WAYS[0], dict(zip(names, (near, near), strict=True)))
    apart = work.plan(WAYS[0], dict(zip(names, (near, far), strict=True)))
    assert apart.tiles == close.tiles
    assert apart.peak_bytes - close.peak_bytes == 2 * (120**3 - 20**3)


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
    profile = dataclasses.replace(prepared.model.profile, average=average)
    prepared = dataclasses.replace(prepared, model=dataclasses.replace(prepared.model, profile=profile))
    volume = blobs_volume((30, 20, 12), (3.0, 3.0, 3.0))
    way = next(way for way in WAYS if way.sums == sums)
    limited_to(monkeypatch, planner(volume, prepared).plan(way).peak_bytes)
    rings: list[int] = []
    ring_class = sliding_window._Ring

    class MeasuredRing(ring_class):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments)
            kept = [self._weights, self._gaussian, *([self._sums] if self._file is None else [])]
            rings.append(sum(tensor.nbytes for tensor in kept))

    monkeypatch.setattr(sliding_window, "_Ring", MeasuredRing)
    _labels, said = run(volume, prepared)
    planned = said.plans[-1]
    assert planned.sums == sums
    assert rings == [sums_bytes(read_model_folder(folder), (30, 20, 12), profile, planned)]


def limited_to(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """A machine that has ``count`` bytes for the process, all of them free."""
    limited = partial(Surroundings, resident_bytes=0, available_bytes=count)
    monkeypatch.setattr("TotalSegmentatorEngine.prediction.Surroundings", limited)


def _assert_same(labels: np.ndarray, expected: np.ndarray, planned: Plan) -> None:
    """Only sums in half precision may change a label, where two of them are nearly tied."""
    if planned.sums == SUMS_IN_HALF:
        assert (labels == expected).mean() >= 0.997
    else:
        assert np.array_equal(labels, expected)


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
    look: Callable[[], object] = lambda: None,
) -> list[object]:
    """Of all runs of networks ``times`` fail from number ``first`` on. Returns what ``look`` saw at each run's begin."""
    real, seen = model_run.predict, []

    def predict(*arguments, **keywords) -> None:
        seen.append(look())
        if first < len(seen) <= first + times:
            raise error
        real(*arguments, **keywords)

    monkeypatch.setattr(model_run, "predict", predict)
    return seen


@pytest.mark.parametrize(("times", "source"), [(1, "PyTorch"), (2, "NumPy"), (3, "OpenVINO")])
def test_a_job_whose_memory_runs_out_goes_on_with_less(
    models: Path, volume: Volume, monkeypatch, times: int, source: str
) -> None:
    prepared = whole_set(models)
    expected, _said = run(volume, prepared)
    runs_fail(monkeypatch, OUT_OF_MEMORY[source], times=times)
    labels, said = run(volume, prepared)
    assert [planned.notes for planned in said.plans] == NOTES[: times + 1]
    assert said.warnings == ["MEMORY_FALLBACK"], "said once"
    last = said.plans[-1]
    assert said.tiles == (last.tiles, last.tiles)
    _assert_same(labels, expected, last)


def test_after_the_last_way_memory_is_short_and_no_network_stays(models: Path, volume: Volume, monkeypatch) -> None:
    prepared, cache = whole_set(models), EngineCache()
    run(volume, prepared, cache)
    assert len(cache.held_folders()) == 5
    begun = runs_fail(monkeypatch, OUT_OF_MEMORY["PyTorch"])
    with pytest.raises(SegmentationError) as caught:
        run(volume, prepared, cache)
    assert caught.value.code == "MEMORY_SHORT"
    assert len(begun) == len(WAYS)
    assert not cache.held_folders()


def test_networks_are_forgotten_before_the_next_way_begins(models: Path, volume: Volume, monkeypatch) -> None:
    prepared, cache = whole_set(models), EngineCache()
    run(volume, prepared, cache)
    error = OUT_OF_MEMORY["NumPy"]
    held = runs_fail(monkeypatch, error, times=1, look=lambda: len(cache.held_folders()))
    run(volume, prepared, cache)
    assert held == [5, 1, 1, 1, 1, 1], "one network at a time"


def test_ways_that_do_not_fit_any_more_are_not_tried(models: Path, volume: Volume, monkeypatch) -> None:
    """When the job fails, the machine has much less than it had when the job was planned."""
    sizes = iter([2**40, 2**40])  # for the plan, and for the question whether an overview is worth it

    def shrinking(*known) -> Surroundings:
        return Surroundings(*known, resident_bytes=0, available_bytes=next(sizes, 10**6))

    monkeypatch.setattr("TotalSegmentatorEngine.prediction.Surroundings", shrinking)
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


# -- a graphics card whose memory runs out. All of it is faked: what a real one does was not run here -------------------


@pytest.fixture
def faked_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch says that there is a CUDA device; it is out of memory as soon as a network is to run on it."""
    from TotalSegmentatorEngine.networks import Networks

    runner = Networks.runner

    def full(self: Networks, *arguments) -> TileRunner:
        if self._plan.device.startswith("cuda"):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB (faked)")
        return runner(self, *arguments)

    monkeypatch.setattr(Networks, "runner", full)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (3 * 10**8, 8 * 10**9))


def test_on_a_faked_gpu_tile_batches_then_sums_then_the_cpu(models: Path, volume: Volume, faked_gpu) -> None:
    labels, said = run(volume, whole_set(models, device="auto"))
    *on_gpu, on_cpu = said.plans
    assert [planned.device for planned in on_gpu] == ["cuda:0"] * (GPU_TILE_BATCH + 1)
    assert [planned.tile_batch for planned in on_gpu] == [*range(GPU_TILE_BATCH, 0, -1), 1]
    assert [planned.sums_on_host for planned in on_gpu] == [False] * GPU_TILE_BATCH + [True]
    assert [planned.notes for planned in on_gpu] == [[]] * GPU_TILE_BATCH + [["DEVICE_MEMORY_SUMS"]]
    assert {planned.precision for planned in on_gpu} == {"published"}
    assert (on_cpu.device, on_cpu.precision, on_cpu.tile_batch, on_cpu.notes) == ("cpu", "exact", 1, [])
    assert said.warnings == ["MEMORY_FALLBACK", "DEVICE_FALLBACK"]
    assert said.values_of("DEVICE_FALLBACK") == {"device": "cuda:0"}
    assert said.tiles == (on_cpu.tiles, on_cpu.tiles)
    assert np.array_equal(labels, run(volume, whole_set(models))[0])


def test_in_float32_a_faked_gpu_runs_one_tile_at_a_time(models: Path, volume: Volume, faked_gpu) -> None:
    exact = JobOptions(runtime="eager", precision="exact")
    _labels, said = run(volume, whole_set(models, exact, device="auto"))
    assert [(planned.device, planned.tile_batch, planned.sums_on_host) for planned in said.plans] == [
        ("cuda:0", 1, False),
        ("cuda:0", 1, True),
        ("cpu", 1, False),
    ]


def test_a_faked_gpu_that_was_asked_for_by_name_is_not_replaced(models: Path, volume: Volume, faked_gpu) -> None:
    recorder, cache = JobRecorder(), EngineCache()
    with pytest.raises(SegmentationError) as caught:
        segment(volume, whole_set(models, device="cuda"), cache, recorder.reporter)
    assert caught.value.code == "DEVICE_MEMORY_SHORT"
    assert caught.value.problem.values == {"free_gb": pytest.approx(0.3)}
    assert {planned.device for planned in recorder.plans} == {"cuda:0"}
    assert recorder.warnings == ["MEMORY_FALLBACK"]


def test_a_gpus_plan_is_not_refused_for_the_computers_memory(models: Path, volume: Volume) -> None:
    way = ways_of("cuda:0", "eager", "published", keeps_networks=True)[0]
    assert planner(volume, whole_set(models), available_bytes=1).fitting([way])[0].device == "cuda:0"


# -- what a run teaches ------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path):
    return read_model_folder(make_model_folder(tmp_path / "D", dataset_json=dataset_json_of(["liver"])))


def record_of(monkeypatch, begins: list[float], resident: list[int]) -> RunRecord:
    """A record whose clock and memory tell these values: memory at the start, at each tile, and at the end."""
    clock, memory = iter([0.0, *begins]), iter(resident)
    monkeypatch.setattr(run_record, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    monkeypatch.setattr(run_record, "resident_memory", lambda: next(memory))
    record = RunRecord()
    for _ in begins[:-1]:
        record.tile_begins()
    return record


RUNNER = SimpleNamespace(runtime="eager", precision="exact", device=torch.device("cpu"))


def test_the_first_tile_is_measured_apart_from_the_others(folder, monkeypatch) -> None:
    machine = MachineProfile()
    record = record_of(monkeypatch, [10.0, 13.0, 14.0, 15.5], [100, 100, 900, 700, 500])
    record.remember(machine, folder, RUNNER, tiles=3, known_bytes=300)
    measured = machine.network(architecture_key(folder), "eager", "exact", "cpu")
    assert measured.first_tile_seconds == 3.0
    assert measured.seconds_per_tile == pytest.approx(1.25), "the last tile ends with the run"
    assert measured.activation_bytes == 800 - 300
    assert measured.tiles_measured == 3


def test_a_single_tile_tells_no_pace(folder, monkeypatch) -> None:
    machine = MachineProfile()
    record = record_of(monkeypatch, [10.0, 12.5], [100, 100, 50])
    record.remember(machine, folder, RUNNER, tiles=1, known_bytes=300)
    measured = machine.network(architecture_key(folder), "eager", "exact", "cpu")
    assert (measured.first_tile_seconds, measured.seconds_per_tile) == (2.5, None)
    assert measured.activation_bytes == 0, "never less than nothing"


def test_batches_count_as_the_tiles_that_they_hold(folder, monkeypatch) -> None:
    machine = MachineProfile()
    record = record_of(monkeypatch, [0.0, 5.0, 7.0, 9.0], [0] * 5)
    record.remember(machine, folder, RUNNER, tiles=6, known_bytes=0)
    measured = machine.network(architecture_key(folder), "eager", "exact", "cpu")
    assert measured.seconds_per_tile == pytest.approx(1.0), "four tiles in four seconds after the first batch"


def test_a_job_teaches_the_machine_all_that_a_plan_asks_for(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    run(volume, prepared)
    machine, folder = MachineProfile.load(), prepared.model.parts[0].folder
    record = machine.network(architecture_key(folder), "eager", "exact", "cpu")
    assert record.seconds_per_tile > 0 and record.first_tile_seconds > 0 and record.activation_bytes >= 0
    assert record.tiles_measured == 5 * plan(volume, prepared).passes[0].tiles
    key = loaded_key(folder, "eager", "exact", "cpu")
    assert machine.rate(key) > 0 and machine.bytes_of(key) >= 0
    order = read_profiles()[prepared.model.profile.id].resampling_order
    assert machine.rate(f"resampling, order {order}") > 0 and machine.rate("restoring") > 0
