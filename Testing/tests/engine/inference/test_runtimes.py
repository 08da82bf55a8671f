"""Which runtime and precision a network runs in, and the warning where a choice cannot be met."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import seeded_models
import torch
from torch import nn
from TotalSegmentatorEngine.inference import compiled_runner, runtime_trial, runtimes
from TotalSegmentatorEngine.inference.network import LoadedModel, load_model
from TotalSegmentatorEngine.inference.runtime_trial import agreement, middle_of, trial_patch
from TotalSegmentatorEngine.inference.runtimes import (
    choose_runtime,
    expected_choice,
    resolved_precision,
)
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner, TileRunner
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.models.model_folder import ModelFolder, read_model_folder
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions

openvino_runner = pytest.importorskip("TotalSegmentatorEngine.inference.openvino_runner")

CPU, CUDA, MPS = torch.device("cpu"), torch.device("cuda", 0), torch.device("mps")


class Records:
    """The part of a machine's profile that remembers runtimes."""

    def __init__(self) -> None:
        self.choices: dict[tuple[str, str, str], str] = {}
        self.trials: list[tuple[str, float, float]] = []

    def chosen_runtime(self, key: str, precision: str, device: str) -> str | None:
        return self.choices.get((key, precision, device))

    def remember_choice(self, key: str, precision: str, device: str, runtime: str) -> None:
        self.choices[key, precision, device] = runtime

    def remember_trial(self, key: str, runtime: str, precision: str, device: str, tiles: float, seconds: float) -> None:
        self.trials.append((runtime, tiles, seconds))


class Listener(SilentReporter):
    """Collects the warnings."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    def warning(self, problem: Problem) -> None:
        self.problems.append(problem)


class Samples:
    """Gives a tile and counts how often it is called."""

    def __init__(self, folder: ModelFolder) -> None:
        self._size = folder.patch_size
        self.count = 0

    def __call__(self) -> np.ndarray:
        self.count += 1
        return np.random.default_rng(self.count).normal(0, 1, self._size).astype(np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    plans = seeded_models.plans_of(seeded_models.configuration_settings((32, 32, 32)))
    return read_model_folder(seeded_models.make_model_folder(tmp_path / "Dataset900_Seeded", plans=plans))


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def without_openvino(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for module in ("openvino_runner", "openvino_graph"):
        monkeypatch.delitem(sys.modules, f"TotalSegmentatorEngine.inference.{module}")
    monkeypatch.setitem(sys.modules, "openvino", None)
    yield


@pytest.fixture
def without_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "has_compiler", lambda: False)


def choose(
    folder: ModelFolder,
    listener: Listener,
    records: Records | None = None,
    samples: Samples | None = None,
    model: LoadedModel | None = None,
    **options: str,
) -> TileRunner:
    model = model or load_model(folder, CPU)
    return choose_runtime(
        model, folder, JobOptions(**options), records or Records(), samples or Samples(folder), listener
    )


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What trials measure with. It stands still but for ``slowed`` runners: real tiles of a few milliseconds take as
    long as a busy machine wants."""
    clock = SimpleNamespace(seconds=0.0)
    monkeypatch.setattr(runtime_trial, "time", SimpleNamespace(perf_counter=lambda: clock.seconds))
    return clock


def slowed(monkeypatch: pytest.MonkeyPatch, clock: SimpleNamespace, runner: type) -> None:
    """Lets each tile take a second on the trial's clock."""
    original = runner.run

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        clock.seconds += 1.0
        return original(self, tiles)

    monkeypatch.setattr(runner, "run", run)


# -- the trial ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slow", "expected"), [(EagerRunner, "openvino"), (openvino_runner.OpenVinoRunner, "eager")])
def test_the_faster_runtime_is_chosen_once_for_this_machine(
    monkeypatch, clock, folder, listener, slow, expected
) -> None:
    slowed(monkeypatch, clock, slow)
    records, samples = Records(), Samples(folder)
    assert choose(folder, listener, records, samples).runtime == expected
    assert list(records.choices.values()) == [expected]
    assert samples.count == 1
    assert choose(folder, listener, records, samples).runtime == expected
    assert samples.count == 1, "what was measured is not measured again"
    assert expected_choice(folder, JobOptions(), CPU, records) == (expected, "exact")
    assert listener.problems == []


def test_the_chosen_runner_takes_tiles_of_the_patch(monkeypatch, clock, folder, listener) -> None:
    slowed(monkeypatch, clock, EagerRunner)
    runner = choose(folder, listener)
    assert runner.run(torch.zeros((1, 1, *folder.patch_size))).shape == (1, runner.channels, *folder.patch_size)


def test_a_trial_tells_how_long_its_part_of_a_tile_took(monkeypatch, clock, folder, listener) -> None:
    for runner in (EagerRunner, openvino_runner.OpenVinoRunner):
        slowed(monkeypatch, clock, runner)
    records = Records()
    choose(folder, listener, records)
    size = runtime_trial.trial_patch(load_model(folder, CPU).networks[0], folder.patch_size)
    ((_runtime, tiles, seconds),) = records.trials
    assert tiles == pytest.approx(np.prod(size) / np.prod(folder.patch_size)) and seconds == 1.0


def test_a_runtime_that_answers_otherwise_is_not_used(monkeypatch, clock, folder, listener, caplog) -> None:
    slowed(monkeypatch, clock, EagerRunner)

    def wrong(self, tiles: torch.Tensor) -> torch.Tensor:
        return torch.randn((1, self.channels, *tiles.shape[2:]))

    monkeypatch.setattr(openvino_runner.OpenVinoRunner, "run", wrong)
    records = Records()
    assert choose(folder, listener, records).runtime == "eager"
    assert list(records.choices.values()) == ["eager"]
    assert "does not agree" in caplog.text


def test_a_trial_is_cancelled_with_its_job(folder, listener) -> None:
    def cancel() -> None:
        raise SegmentationError("CANCELLED")

    listener.check_cancelled = cancel
    records = Records()
    with pytest.raises(SegmentationError):
        choose(folder, listener, records)
    assert records.choices == {}


def test_a_recorded_runtime_that_is_gone_is_replaced(folder, listener, without_openvino, without_compiler) -> None:
    records = Records()
    records.remember_choice(runtimes.architecture_key(folder), "exact", "cpu", "openvino")
    runner = choose(folder, listener, records)
    assert runner.runtime == "eager"
    assert listener.problems == [], "it was not requested by name"


def test_agreement_counts_on_the_foreground() -> None:
    reference = np.zeros((10, 10, 10), dtype=np.uint8)
    reference[:2] = 5
    other = reference.copy()
    other[0, :5] = 4
    assert agreement(reference, other) == 0.75
    assert agreement(np.zeros_like(reference), other) == 0.8, "of all voxels where there is no foreground"


@pytest.mark.parametrize(
    ("patch", "strides", "expected"),
    [
        ((128, 128, 128), [[1, 1, 1], *[[2, 2, 2]] * 5], (64, 64, 64)),
        ((112, 112, 128), [[1, 1, 1], *[[2, 2, 2]] * 3, [1, 2, 2]], (56, 64, 64)),
        ((16, 32, 32), [[1, 1, 1], *[[2, 2, 2]] * 4], (16, 32, 32)),
        ((40, 224, 224), [1, 2, 2, 2], (24, 112, 112)),
    ],
)
def test_a_trial_takes_the_smallest_part_of_a_tile_that_the_network_can_halve(patch, strides, expected) -> None:
    network = nn.Module()
    network.encoder = nn.Module()
    network.encoder.strides = strides
    assert trial_patch(network, patch) == expected
    assert trial_patch(nn.Conv3d(1, 2, 1), patch) == patch
    tile = np.zeros(patch)
    assert middle_of(tile, expected).shape == expected


# -- wishes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["eager", "openvino"])
def test_a_runtime_can_be_requested_by_name(folder, listener, runtime) -> None:
    records, samples = Records(), Samples(folder)
    assert choose(folder, listener, records, samples, runtime=runtime).runtime == runtime
    assert (samples.count, records.choices, listener.problems) == (0, {}, [])


class Unusual(nn.Module):
    """A network that OpenVINO is not given."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Conv3d(1, outputs, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(self.layer(x))


@pytest.fixture
def unusual(folder: ModelFolder) -> LoadedModel:
    outputs = len(folder.labels) + 1
    return LoadedModel([Unusual(outputs).eval().requires_grad_(False)], (), CPU, outputs)


def test_pytorch_runs_what_openvino_cannot(folder, listener, unusual, without_compiler) -> None:
    records = Records()
    assert choose(folder, listener, records, model=unusual).runtime == "eager"
    assert records.choices == {}, "there was nothing to choose from"
    assert listener.problems == []
    assert choose(folder, listener, model=unusual, runtime="openvino").runtime == "eager"
    assert listener.problems == [Problem("RUNTIME_FALLBACK", {"runtime": "openvino"})]


def test_openvino_need_not_be_installed(folder, listener, without_openvino, without_compiler) -> None:
    assert choose(folder, listener).runtime == "eager"
    assert listener.problems == []
    assert choose(folder, listener, runtime="openvino").runtime == "eager"
    assert listener.problems == [Problem("RUNTIME_FALLBACK", {"runtime": "openvino"})]


def test_compiled_needs_a_compiler(folder, listener, without_compiler) -> None:
    assert choose(folder, listener, runtime="compiled").runtime == "eager"
    assert listener.problems == [Problem("RUNTIME_FALLBACK", {"runtime": "compiled"})]
    assert expected_choice(folder, JobOptions(runtime="compiled"), CPU, Records())[0] == "eager"


def test_a_compiler_that_fails_is_replaced_by_pytorch(monkeypatch, folder, listener) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise torch._dynamo.exc.TorchDynamoException("no headers")

    monkeypatch.setattr(runtimes, "has_compiler", lambda: True)
    monkeypatch.setattr(compiled_runner.torch, "compile", lambda *_, **__: fail)
    runner = choose(folder, listener, runtime="compiled")
    assert runner.runtime == "eager"
    assert listener.problems == [Problem("RUNTIME_FALLBACK", {"runtime": "compiled"})]
    assert runner.run(torch.zeros((1, 1, *folder.patch_size))).shape[2:] == folder.patch_size


def test_compiled_is_tried_where_openvino_cannot_run(monkeypatch, folder, listener, unusual) -> None:
    monkeypatch.setattr(runtimes, "has_compiler", lambda: True)
    monkeypatch.setattr(compiled_runner.torch, "compile", lambda network, **_: network)
    records = Records()
    choose(folder, listener, records, model=unusual)
    assert list(records.choices.values()) in (["compiled"], ["eager"]), "measured, and remembered"


@pytest.mark.parametrize("has_bf16", [True, False])
def test_reduced_precision_needs_a_processor_for_it(monkeypatch, folder, listener, has_bf16) -> None:
    monkeypatch.setattr(runtimes, "has_bf16", lambda: has_bf16)
    runner = choose(folder, listener, runtime="eager", precision="reduced")
    assert runner.precision == ("reduced" if has_bf16 else "exact")
    assert expected_choice(folder, JobOptions(precision="reduced"), CPU, Records())[1] == runner.precision


@pytest.mark.parametrize(
    ("device", "wanted", "expected"),
    [
        *[(CPU, "auto", "exact"), (CPU, "published", "exact"), (CPU, "exact", "exact")],
        *[(CUDA, "auto", "published"), (CUDA, "exact", "exact"), (CUDA, "reduced", "reduced")],
        *[(MPS, "auto", "exact"), (MPS, "published", "exact"), (MPS, "reduced", "exact")],
    ],
)
def test_a_precision_is_what_the_device_has(device, wanted, expected) -> None:
    assert resolved_precision(wanted, device) == expected


def test_a_gpu_runs_pytorch_and_measures_nothing(folder) -> None:
    for runtime in ("auto", "eager", "openvino"):
        assert expected_choice(folder, JobOptions(runtime=runtime), CUDA, Records()) == ("eager", "published")
