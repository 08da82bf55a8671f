"""What a plan says comes true: the tiles that run, what computes them, and the time of a job on a known machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from catalogue_jobs import EAGER, MODEL, folder_job, whole_set
from engine_support import blobs_volume
from hu_models import block_volume, make_hu_model
from job_recorder import run
from one_model import model_task, with_changes
from planned_steps import localized_state, requested_step
from seeded_models import configuration_settings, dataset_json_of, make_catalogue_model, make_model_folder, plans_of
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine import work_time
from TotalSegmentatorEngine.machine.profile import MachineProfile, NetworkRecord
from TotalSegmentatorEngine.models.model_folder import architecture_key, read_model_folder
from TotalSegmentatorEngine.pipeline import job_planning, measurements, part_prediction
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.measurements import Measurements
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan
from TotalSegmentatorEngine.plan.memory_estimate import loaded_key
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, execution_strategies
from TotalSegmentatorEngine.plan.planner import Planner
from TotalSegmentatorEngine.plan.rates import checking_work, label_rate, resampling_work, restoring_work
from TotalSegmentatorEngine.preprocessing.network_input import network_grid
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import LOCALIZATION

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

STRATEGY = execution_strategies("cpu", "eager", "exact", keeps_networks=True)[0]

# -- tiles -------------------------------------------------------------------------------------------------------------


def transposed_folder(folder: Path) -> PreparedTask:
    settings = configuration_settings((16, 16, 8), (3.0, 2.0, 4.0))
    return folder_job(make_model_folder(folder / "D", plans=plans_of(settings, transpose_forward=(1, 2, 0))))


def cut_in_three(folder: Path) -> PreparedTask:
    """A model of the catalogue for which every image of more than 200 slices is a large one."""
    make_catalogue_model(folder, MODEL)
    prepared = whole_set(folder)
    profile = dataclasses.replace(prepared.models[0].model.profile, split_above_voxels=1)
    return with_changes(prepared, model=dataclasses.replace(prepared.models[0].model, profile=profile))


def two_structures(folder: Path, options: JobOptions = EAGER) -> PreparedTask:
    for model in (MODEL, "117-6mm"):
        make_hu_model(folder, model, {"spleen": 640, "heart": -560})
    return prepare(model_task(MODEL, folder, ["spleen", "heart"], "cpu", options))


TWO_BLOCKS = [((slice(5, 17), slice(5, 17), slice(5, 17)), 640), ((slice(60, 72), slice(30, 42), slice(30, 42)), -560)]
TILE_CASES: dict[str, tuple[Callable[[Path], PreparedTask], Volume, int]] = {
    "resampled by the plans": (transposed_folder, blobs_volume((20, 34, 26), (3.0, 3.0, 3.0)), 1),
    "smaller than the patch": (transposed_folder, blobs_volume((5, 40, 11), (3.0, 3.0, 3.0)), 1),
    "cut in three": (cut_in_three, blobs_volume((211, 16, 18), (1.5, 1.5, 1.5)), 5),
    "cropped to structures, and checked": (two_structures, block_volume((90, 60, 60), TWO_BLOCKS), 4),
}


@pytest.mark.parametrize("name", TILE_CASES)
def test_the_tiles_that_are_planned_are_the_ones_that_run(tmp_path: Path, monkeypatch, name: str) -> None:
    make, volume, passes = TILE_CASES[name]
    batches: list[int] = []
    run_tiles = EagerRunner.run
    monkeypatch.setattr(job_planning, "pace_trial", lambda *_place: None)  # it runs tiles of its own
    monkeypatch.setattr(EagerRunner, "run", lambda self, tiles: (batches.append(len(tiles)), run_tiles(self, tiles))[1])
    _result, reported = run(volume, make(tmp_path))
    planned = reported.plans[-1]
    assert len(planned.passes) == passes
    assert planned.tiles == sum(part.tiles for part in planned.passes) == sum(batches) > passes
    assert reported.tiles == (planned.tiles, planned.tiles)


def test_the_command_plans_what_the_job_plans(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    alone = plan(volume, prepared)
    _result, reported = run(volume, prepared, EngineCache(serves_one_job=True))
    (reported_plan,) = reported.plans
    assert alone.passes == reported_plan.passes and alone.tiles == reported_plan.tiles
    assert (alone.profiles, alone.device) == ({MODEL: "totalsegmentator-2.18"}, "cpu")
    assert alone.keeps_networks == reported_plan.keeps_networks is False
    assert not alone.is_preliminary


# -- time, runtime, precision ------------------------------------------------------------------------------------------


def test_the_time_is_known_once_the_machine_has_measured_it(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    before = plan(volume, prepared)
    assert before.seconds is None or before.is_estimated
    run(volume, prepared)
    after = plan(volume, prepared)
    assert all(part.seconds > 0 for part in after.passes) and not after.is_estimated
    assert after.seconds + 0.01 >= sum(part.seconds for part in after.passes)
    larger = plan(blobs_volume((60, 24, 22), (2.4, 2.0, 1.9)), prepared)
    assert larger.tiles > after.tiles and larger.seconds > after.seconds


def test_a_job_that_failed_has_measured_the_machine_too(models: Path, volume: Volume, monkeypatch) -> None:
    prepared = whole_set(models)
    real, begun = part_prediction.predict, []

    def predict(*arguments, **keywords) -> None:
        begun.append(len(begun))
        if len(begun) == 2:
            raise SegmentationError("CANCELLED")
        real(*arguments, **keywords)

    monkeypatch.setattr(part_prediction, "predict", predict)
    with pytest.raises(SegmentationError) as caught:
        run(volume, prepared)
    assert caught.value.code == "CANCELLED"
    planned = plan(volume, prepared)
    assert planned.seconds is not None and not all(each.is_estimated for each in planned.passes)


def one_second_a_tile(prepared: PreparedTask) -> MachineProfile:
    """A machine that takes a second for each tile and for nothing else."""
    machine = MachineProfile()
    for model in (prepared.models[0].model, prepared.models[0].coarse_model):
        for part in model.parts:
            if part.folder is not None:
                key = architecture_key(part.folder)
                machine.remember_network(key, "eager", "exact", "cpu", 1.0, 1.0, tiles=10)
                machine.remember_rate(label_rate(part.folder, "cpu", False), 1, 0.0)
                machine.remember_rate(loaded_key(part.folder, "eager", "exact", "cpu"), 1, 0.0)
    return machine


def test_a_refined_plan_counts_the_localization_as_time_that_has_passed(tmp_path: Path) -> None:
    volume = block_volume((90, 60, 60), TWO_BLOCKS)
    prepared = two_structures(tmp_path, JobOptions(runtime="eager", self_check=False))
    machine = one_second_a_tile(prepared)
    first = Planner(volume.geometry, prepared, PlanningContext(machine, elapsed_seconds=2.0)).plan(STRATEGY)
    assert first.seconds == pytest.approx(2.0 + first.tiles, abs=0.1)
    assert first.elapsed_seconds == 2.0
    passed = 2.0 + first.passes[0].tiles
    planner = Planner(volume.geometry, prepared, PlanningContext(machine, elapsed_seconds=passed))
    region = (slice(0, 30), slice(0, 30), slice(0, 30))
    organs, cardiac = (part.name for part in requested_step(planner).parts)
    refined = planner.plan(STRATEGY, localized_state(planner, {organs: region, cardiac: None}))
    assert [part.purpose == LOCALIZATION for part in refined.passes] == [True, False]
    assert refined.seconds == pytest.approx(passed + refined.passes[1].tiles, abs=0.1)
    assert refined.seconds < first.seconds


@pytest.mark.parametrize("precision", ["auto", "reduced"])
def test_a_plan_names_what_computes(tmp_path: Path, volume: Volume, precision: str) -> None:
    """The first job tries the runtimes out; from then on the plan names the one that was found."""
    prepared = folder_job(make_model_folder(tmp_path / "D"), JobOptions(precision=precision))
    result, _reported = run(volume, prepared)
    planned = plan(volume, prepared)
    assert (planned.runtime, planned.precision) == (result.options.runtime, result.options.precision)
    assert planned.runtime in ("openvino", "eager", "compiled")
    assert planned.precision in ("exact", "reduced")
    eager = dataclasses.replace(prepared, task=dataclasses.replace(prepared.task, options=EAGER))
    assert (plan(volume, eager).runtime, plan(volume, eager).precision) == ("eager", "exact")


# -- what a run measures -----------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path):
    return read_model_folder(make_model_folder(tmp_path / "D", dataset_json=dataset_json_of(["liver"])))


RUNNER = SimpleNamespace(runtime="eager", precision="exact", device=torch.device("cpu"), mirror_images=1)


def measured_run(
    monkeypatch,
    folder,
    steps: list[tuple[int, float, list[float]]],
    resident: list[int],
    known_bytes: int = 0,
) -> MachineProfile:
    """What is remembered of a run in which each step runs some tiles for some seconds, and then labels are made by each
    sink for some seconds. ``resident``: memory at the start, at each call of ``on_tile``, and at the end."""
    now, sizes, machine = [100.0], iter(resident), MachineProfile()
    clock = SimpleNamespace(monotonic=lambda: now[0], process_time=lambda: now[0])
    monkeypatch.setattr(work_time, "time", clock)
    monkeypatch.setattr(measurements, "resident_memory", lambda: next(sizes, resident[-1]))

    def wait(seconds: float) -> None:
        now[0] += seconds

    takes = [0.0] * len(steps[0][2])
    sinks = [
        SimpleNamespace(
            add=lambda sums, weights, number=number: wait(takes[number]),
            labels=np.zeros(50, np.uint8),
            is_resampled=number > 0,
        )
        for number in range(len(takes))
    ]
    tiles = sum(step[0] for step in steps)
    with Measurements(machine).network_run(folder, RUNNER, tiles, known_bytes, sinks) as probe:
        on_tile, finished = probe.on_tile(lambda finished_tiles: None), 0
        on_tile(0)
        for count, seconds, labelling in steps:
            wait(seconds)
            finished += count
            on_tile(finished)
            takes[:] = labelling
            probe.sink.add(torch.zeros(1), torch.ones(1))
            if finished < tiles:
                on_tile(finished)
    return machine


def network_of(machine: MachineProfile, folder) -> NetworkRecord:
    return machine.network(architecture_key(folder), "eager", "exact", "cpu")


def test_the_first_tile_is_measured_apart_from_the_others(folder, monkeypatch) -> None:
    steps = [(1, 3.0, [0.0]), (1, 1.0, [0.0]), (1, 1.5, [0.0])]
    measured = network_of(measured_run(monkeypatch, folder, steps, [100, 100, 900, 700, 500], 300), folder)
    assert measured.first_tile_seconds == 3.0
    assert measured.seconds_per_tile == pytest.approx(1.25)
    assert measured.activation_bytes == 800 - 300
    assert measured.tiles_measured == 3


def test_a_single_tile_has_no_pace(folder, monkeypatch) -> None:
    machine = measured_run(monkeypatch, folder, [(1, 2.5, [60.0])], [100, 100, 50], 300)
    measured = network_of(machine, folder)
    assert (measured.first_tile_seconds, measured.seconds_per_tile) == (2.5, None)
    assert measured.activation_bytes == 0, "never less than nothing"
    assert machine.rate(label_rate(folder, "cpu", False)) == pytest.approx(60.0 / 50)


@pytest.mark.parametrize("labelling", [0.0, 0.5, 67.0])
def test_the_making_of_labels_is_not_the_networks_time(folder, monkeypatch, labelling: float) -> None:
    steps = [(1, 3.0, [labelling, 0.0]), (1, 1.0, [0.0, labelling]), (1, 1.0, [labelling, 2 * labelling])]
    machine = measured_run(monkeypatch, folder, steps, [0])
    measured = network_of(machine, folder)
    assert measured.first_tile_seconds == pytest.approx(3.0)
    assert measured.seconds_per_tile == pytest.approx(1.0)
    assert machine.rate(label_rate(folder, "cpu", False)) == pytest.approx(2 * labelling / 50)
    assert machine.rate(label_rate(folder, "cpu", True)) == pytest.approx(3 * labelling / 50)


def test_batches_count_as_the_tiles_that_they_hold(folder, monkeypatch) -> None:
    steps = [(2, 5.0, [0.0]), (2, 2.0, [1.0]), (2, 2.0, [1.0])]
    measured = network_of(measured_run(monkeypatch, folder, steps, [0]), folder)
    assert measured.seconds_per_tile == pytest.approx(1.0), "four tiles in four seconds after the first batch"
    assert measured.first_tile_seconds == pytest.approx(4.0), "without the other tile of its batch"


def test_a_job_measures_all_that_a_plan_needs(models: Path, volume: Volume) -> None:
    prepared = whole_set(models)
    run(volume, prepared)
    machine, folder = MachineProfile.load(), prepared.models[0].model.parts[0].folder
    measured = machine.network(architecture_key(folder), "eager", "exact", "cpu")
    assert measured.seconds_per_tile > 0 and measured.first_tile_seconds > 0 and measured.activation_bytes >= 0
    assert measured.tiles_measured == 5 * plan(volume, prepared).passes[0].tiles
    key = loaded_key(folder, "eager", "exact", "cpu")
    assert machine.rate(key) > 0 and machine.bytes_of(key) >= 0
    profile = prepared.models[0].model.profile
    grid = network_grid(volume.geometry, profile, folder)
    shape = volume.geometry.shape
    for work in (resampling_work(grid, profile, grid.whole), restoring_work(shape, 1, False), checking_work(shape)):
        assert machine.rate(work.name) > 0
    assert machine.rate(label_rate(folder, "cpu", False)) > 0


def test_smooth_labels_have_a_time_of_their_own(models: Path, volume: Volume) -> None:
    prepared = whole_set(models, JobOptions(runtime="eager", smooth=True))
    run(volume, prepared)
    machine = MachineProfile.load()
    rates = [label_rate(part.folder, "cpu", True) for part in prepared.models[0].model.parts]
    assert all(machine.rate(name) > 0 for name in rates)
    seconds = plan(volume, prepared).seconds
    for name in set(rates):
        machine.remember_rate(name, 1e9, 1e9 * (1.0 + machine.rate(name)))
    slower = Planner(volume.geometry, prepared, PlanningContext(machine)).plan(STRATEGY).seconds
    mean = sum(machine.rate(name) for name in rates)
    assert slower - seconds > 0.5 * mean * volume.array.size


def test_labels_that_are_not_smooth_are_restored_at_their_own_rate(tmp_path: Path) -> None:
    """Of a model that resamples its predictions by its plans smooth is no option: nothing of its plan changes."""
    folder = make_model_folder(tmp_path / "D")
    rough, smooth = (folder_job(folder, options) for options in (EAGER, JobOptions(runtime="eager", smooth=True)))
    machine = MachineProfile()
    machine.remember_network(
        architecture_key(rough.models[0].model.folders_to_run[0]), "eager", "exact", "cpu", 1.0, 1.0, tiles=10
    )
    grid = Geometry((100, 200, 200), np.diag([1.0, 1.0, 3.0, 1.0]))
    machine.remember_rate(restoring_work(grid.shape, 1, True).name, 1e6, 1e3)
    times = [Planner(grid, each, PlanningContext(machine)).plan(STRATEGY).seconds for each in (rough, smooth)]
    assert times[0] == times[1]


def test_smooth_labels_are_planned_before_they_were_ever_measured(models: Path) -> None:
    machine = MachineProfile()
    for part in whole_set(models).models[0].model.parts:
        machine.remember_network(architecture_key(part.folder), "eager", "exact", "cpu", 0.01, 0.01, 1)
    chest = Geometry((300, 512, 512), np.diag([0.8, 0.8, 1.5, 1.0]))
    rough, smooth = (
        Planner(chest, whole_set(models, options), PlanningContext(machine)).plan(STRATEGY)
        for options in (EAGER, JobOptions(runtime="eager", smooth=True))
    )
    assert smooth.seconds - rough.seconds > 5, "117 labels in 79 million voxels"
    assert smooth.peak_bytes - rough.peak_bytes > 2 * 300 * 512 * 512, "all parts' labels and one's, on the CT's grid"
