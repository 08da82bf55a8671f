"""OpenVINO on Intel's graphics: chosen where it is faster and agrees, and left at its first failure.

No such hardware is needed, and none has been used: OpenVINO's plug-in for the processor plays it.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import seeded_models
import torch
from engine_support import blobs_volume
from one_model import model_task
from TotalSegmentatorEngine.inference import graphics_choice, runtime_trial, runtimes
from TotalSegmentatorEngine.inference.graphics_choice import graphics_precision, report_graphics
from TotalSegmentatorEngine.inference.graphics_runner import within
from TotalSegmentatorEngine.inference.network import load_model
from TotalSegmentatorEngine.inference.runtimes import choose_runtime, expected_choice
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner, TileRunner
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.machine.intel_graphics import GraphicsProcessor, graphics_fingerprint, graphics_of
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key, read_model_folder
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorEngine.plan.memory_estimate import pass_memory
from TotalSegmentatorEngine.plan.memory_strategies import execution_strategies
from TotalSegmentatorEngine.preprocessing.network_input import network_grid
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME, JobOptions

pytest.importorskip("openvino")
from played_graphics import XE, PlayedGraphics, allow_seconds, play_drivers, play_graphics
from TotalSegmentatorEngine.inference.openvino_gpu_runner import OpenVinoGpuRunner
from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner

CPU = torch.device("cpu")


class Listener(SilentReporter):
    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def warning(self, problem: Problem) -> None:
        self.problems.append(problem)

    @property
    def codes(self) -> list[str]:
        return [problem.code for problem in self.problems]


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    plans = seeded_models.plans_of(seeded_models.configuration_settings((16, 16, 16)))
    return read_model_folder(seeded_models.make_model_folder(tmp_path / "Dataset900_Seeded", plans=plans))


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def machine(tmp_path: Path) -> MachineProfile:
    return read_again(tmp_path)


def read_again(folder: Path) -> MachineProfile:
    """What another process would know of this machine."""
    return MachineProfile(folder / "machine.json")


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> PlayedGraphics:
    played = PlayedGraphics()
    play_graphics(monkeypatch, played)
    return played


@pytest.fixture(autouse=True)
def seconds(monkeypatch: pytest.MonkeyPatch) -> dict[type, float]:
    """What a tile takes on the trial's clock, by runner."""
    seconds = {EagerRunner: 3.0, OpenVinoRunner: 2.0, OpenVinoGpuRunner: 1.0}
    clock = SimpleNamespace(now=0.0)
    run_openvino = OpenVinoRunner.run
    for runner, original in ((EagerRunner, EagerRunner.run), (OpenVinoRunner, run_openvino)):
        monkeypatch.setattr(runner, "run", _clocked(clock, seconds, runner, original))
    monkeypatch.setattr(OpenVinoGpuRunner, "run", _clocked(clock, seconds, OpenVinoGpuRunner, run_openvino))
    monkeypatch.setattr(runtime_trial, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    return seconds


def _clocked(clock: SimpleNamespace, seconds: dict[type, float], runner: type, original: Callable) -> Callable:
    def run(self: TileRunner, tiles: torch.Tensor) -> torch.Tensor:
        clock.now += seconds[runner]
        return original(self, tiles)

    return run


def choose(folder: ModelFolder, listener: Listener, machine: MachineProfile, **options: str) -> TileRunner:
    def sample() -> np.ndarray:
        return np.random.default_rng(0).normal(0, 1, folder.patch_size).astype(np.float32)

    runner = choose_runtime(load_model(folder, CPU), folder, JobOptions(**options), machine, sample, listener)
    report_graphics(runner, machine, listener)
    return runner


def tile_of(folder: ModelFolder) -> torch.Tensor:
    return torch.randn((1, 1, *folder.patch_size), generator=torch.Generator().manual_seed(1))


# -- the trial ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("on_graphics", "chosen"), [(1.0, GRAPHICS_RUNTIME), (1.9, "openvino"), (4.0, "openvino")])
def test_graphics_are_chosen_where_they_are_clearly_faster(
    seconds, played, folder, listener, machine, tmp_path, on_graphics, chosen
) -> None:
    seconds[OpenVinoGpuRunner] = on_graphics
    assert choose(folder, listener, machine).runtime == chosen
    assert expected_choice(folder, JobOptions(), CPU, machine) == (chosen, "exact")
    machine.save()
    tried = len(played.compiled)
    assert choose(folder, listener, read_again(tmp_path)).runtime == chosen
    assert len(played.compiled) - tried == (chosen == GRAPHICS_RUNTIME), "no second trial"
    assert listener.problems == []


def test_exact_is_float32_and_reduced_float16(monkeypatch, played, folder, listener, machine) -> None:
    monkeypatch.setattr(runtimes, "has_bf16", lambda: False)
    assert choose(folder, listener, machine, precision="exact").precision == "exact"
    device, settings = played.compiled[-1]
    assert (device, settings["INFERENCE_PRECISION_HINT"], settings["EXECUTION_MODE_HINT"]) == (
        "GPU.0",
        "f32",
        "ACCURACY",
    )
    assert choose(folder, listener, machine, precision="reduced").precision == "reduced"
    assert played.compiled[-1][1]["INFERENCE_PRECISION_HINT"] == "f16"
    assert expected_choice(folder, JobOptions(precision="reduced"), CPU, machine) == (GRAPHICS_RUNTIME, "reduced")
    assert listener.problems == [], "the processor has no reduced precision, but the graphics have"
    assert [graphics_precision(wanted) for wanted in ("auto", "published")] == ["exact", "exact"]


def test_a_card_is_used_before_integrated_graphics(played, folder, listener, machine) -> None:
    played.devices = ["CPU", "GPU.0", "GPU.1", "NPU"]
    choose(folder, listener, machine, runtime=GRAPHICS_RUNTIME)
    assert [device for device, _ in played.compiled] == ["GPU.1"]


def test_graphics_that_answer_otherwise_are_not_used(played, folder, listener, machine, caplog) -> None:
    played.fault = "wrong"
    assert choose(folder, listener, machine).runtime == "openvino"
    assert "openvino-gpu does not agree" in caplog.text


def test_another_driver_is_tried_anew(monkeypatch, seconds, played, folder, listener, machine) -> None:
    played.fault = "compile"
    assert choose(folder, listener, machine).runtime == "openvino"
    played.fault = ""
    assert choose(folder, listener, machine).runtime == "openvino", "it has failed with this driver"
    play_drivers(monkeypatch, GraphicsProcessor(XE.name, "25.01"))
    assert choose(folder, listener, machine).runtime == GRAPHICS_RUNTIME
    play_drivers(monkeypatch)
    assert choose(folder, listener, machine).runtime == "openvino", "the graphics are gone"
    assert listener.problems == [], "nobody asked for graphics"


def test_what_ends_the_process_twice_is_not_tried_again(
    monkeypatch, played, folder, listener, machine, tmp_path
) -> None:
    """A driver's crash leaves nothing behind but the note that an attempt was begun."""
    for _crash in range(2):
        crashed = read_again(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr(graphics_choice, "end_attempt", lambda *_, **__: None)
            choose(folder, listener, crashed)
    assert choose(folder, listener, read_again(tmp_path)).runtime == "openvino"


def test_a_cancelled_trial_is_no_failure(played, folder, listener, machine) -> None:
    def cancel() -> None:
        raise SegmentationError("CANCELLED")

    listener.check_cancelled = cancel
    with pytest.raises(SegmentationError):
        choose(folder, listener, machine)
    del listener.check_cancelled
    assert choose(folder, listener, machine).runtime == GRAPHICS_RUNTIME


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["compile", "infer", "hang"])
def test_a_failure_in_the_trial_leaves_the_processor(monkeypatch, played, folder, listener, machine, fault) -> None:
    allow_seconds(monkeypatch, 0.01 if fault == "hang" else 30.0)
    played.fault = fault
    assert choose(folder, listener, machine).runtime == "openvino"
    assert expected_choice(folder, JobOptions(), CPU, machine)[0] == "openvino"
    assert listener.problems == []


@pytest.mark.parametrize("fault", ["infer", "hang"])
def test_a_failure_at_a_later_tile_goes_on_on_the_processor(
    monkeypatch, played, folder, listener, machine, tmp_path, fault
) -> None:
    allow_seconds(monkeypatch, 0.05 if fault == "hang" else 30.0)
    runner = choose(folder, listener, machine, runtime=GRAPHICS_RUNTIME)
    tile = tile_of(folder)
    expected = runner.run(tile).clone()
    played.fault = fault
    assert torch.allclose(runner.run(tile), expected, atol=1e-4), "the same tile, by the processor"
    assert (runner.runtime, runner.precision) == ("openvino", "exact")
    assert listener.codes == ["GRAPHICS_FAILED"]
    runner.run(tile)
    assert listener.codes == ["GRAPHICS_FAILED"], "said once"
    assert choose(folder, listener, read_again(tmp_path)).runtime == "openvino"


@pytest.mark.parametrize("fault", ["compile", "none there"])
def test_graphics_that_are_requested_in_vain(monkeypatch, played, folder, listener, machine, fault) -> None:
    played.fault = fault
    if fault == "none there":
        play_drivers(monkeypatch)
    assert choose(folder, listener, machine, runtime=GRAPHICS_RUNTIME).runtime == "openvino"
    assert listener.codes == ["GRAPHICS_UNAVAILABLE"]


def test_a_driver_that_hangs_while_it_compiles_is_left_alone() -> None:
    released = threading.Event()
    with pytest.raises(RuntimeError, match="not ready"):
        within(0.02, released.wait, lambda: None)
    released.set()
    assert within(5.0, lambda: 7, lambda: None) == 7
    with pytest.raises(KeyError):
        within(5.0, lambda: {}["nothing"], lambda: None)


def test_a_job_whose_graphics_fail_has_the_labels_of_the_processor(monkeypatch, tmp_path, played, folder) -> None:
    monkeypatch.setenv("TOTALSEGMENTATOR_CACHE", str(tmp_path / "cache"))
    volume = blobs_volume((40, 24, 24), (3.0, 3.0, 3.0))

    def run(runtime: str) -> tuple[SegmentationResult, list[str]]:
        listener = Listener()
        task = model_task(str(folder.path), Path(), device="cpu", options=JobOptions(runtime=runtime))
        return segment(volume, prepare(task), EngineCache(), listener), listener.codes

    (expected, _), (whole, codes) = run("openvino"), run(GRAPHICS_RUNTIME)
    assert (whole.options.runtime, codes) == (GRAPHICS_RUNTIME, [])
    assert played.tiles > 3
    played.fault, played.good_tiles, played.tiles = "infer", 2, 0
    result, codes = run(GRAPHICS_RUNTIME)
    assert played.tiles == 3, "two tiles that stay, and the one that failed"
    assert (result.options.runtime, codes) == ("openvino", ["GRAPHICS_FAILED"])
    for other in (whole, result):
        assert (other.layers[0] == expected.layers[0]).mean() > 0.999


# -- what OpenCL tells -------------------------------------------------------------------------------------------------


class PlayedOpenCl:
    """Its library on a computer with graphics of two vendors, and one platform without a GPU."""

    def __init__(self) -> None:
        of_intel = [(0x8086, b"Xe", b"24.3"), (0x8086, b"Arc A770", b"25.2")]
        self.devices = {1: [(0x10DE, b"GeForce", b"550.1")], 2: of_intel, 3: []}

    def clGetPlatformIDs(self, most, handles, count) -> int:
        return self._list(sorted(self.devices), most, handles, count)

    def clGetDeviceIDs(self, platform, kind, most, handles, count) -> int:
        assert kind.value == 4, "GPUs alone"
        numbers = [10 * platform.value + n for n in range(len(self.devices[platform.value]))]
        return self._list(numbers, most, handles, count) if numbers else -1

    def clGetDeviceInfo(self, device, what, size, answer, _length) -> int:
        vendor, name, driver = self.devices[device.value // 10][device.value % 10]
        told = {0x1001: vendor.to_bytes(4, "little"), 0x102B: name, 0x102D: driver}[what.value]
        assert len(told) <= size.value
        ctypes.memmove(answer, told, len(told))
        return 0

    @staticmethod
    def _list(numbers, most, handles, count) -> int:
        for place, number in enumerate(numbers[: most.value]):
            handles[place] = number
        ctypes.cast(count, ctypes.POINTER(ctypes.c_uint))[0] = len(numbers)
        return 0


def test_opencl_tells_of_intels_graphics_and_their_drivers(monkeypatch) -> None:
    assert graphics_of(PlayedOpenCl()) == (GraphicsProcessor("Arc A770", "25.2"), GraphicsProcessor("Xe", "24.3"))
    play_drivers(monkeypatch)
    assert graphics_fingerprint() == ""
    play_drivers(monkeypatch, XE)
    assert graphics_fingerprint() != "" and XE.driver not in graphics_fingerprint()


# -- the plan ----------------------------------------------------------------------------------------------------------


def test_memory_of_graphics_counts_as_the_computers(folder, machine) -> None:
    volume = blobs_volume((40, 24, 24), (3.0, 3.0, 3.0))
    profile = prepare(model_task(str(folder.path), Path())).models[0].model.profile
    grid = network_grid(volume.geometry, profile, folder)
    # seen from the process, a tile on graphics takes hardly anything
    machine.remember_activations(architecture_key(folder), GRAPHICS_RUNTIME, "exact", "cpu", 1000)

    def running(runtime: str) -> int:
        strategy = execution_strategies("cpu", runtime, "exact", keeps_networks=True)[0]
        places = (grid, grid.whole, grid.whole)
        return pass_memory(folder, grid.shape, profile, *places, strategy, machine).running

    assert running(GRAPHICS_RUNTIME) >= running("openvino")
