"""Every runtime gives the same predictions: PyTorch, compiled PyTorch, OpenVINO."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import seeded_models
import torch
from torch import nn
from TotalSegmentatorEngine.inference.compiled_runner import CompiledRunner, has_compiler
from TotalSegmentatorEngine.inference.network import LoadedModel, load_model, split_head
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner, TileRunner
from TotalSegmentatorEngine.machine.cpu_features import has_bf16
from TotalSegmentatorEngine.models.model_folder import read_model_folder

pytestmark = pytest.mark.usefixtures("one_thread")

openvino_runner = pytest.importorskip("TotalSegmentatorEngine.inference.openvino_runner")
OpenVinoRunner = openvino_runner.OpenVinoRunner

PATCH = (16, 24, 32)
CPU = torch.device("cpu")


def seeded_model(
    folder: Path,
    network: str = "plain",
    norm: str = "instancenorm.InstanceNorm3d",
    outputs: int = 10,
    folds: int = 1,
    axes: tuple[int, ...] | None = None,
) -> LoadedModel:
    """A network of four features in its finest stage; batch norms get statistics as a training leaves them."""
    settings = seeded_models.configuration_settings(PATCH, network=network)
    settings["architecture"]["arch_kwargs"]["norm_op"] = f"torch.nn.modules.{norm}"
    names = [f"structure_{number}" for number in range(outputs - 1)]
    plans = seeded_models.plans_of(settings)
    path = seeded_models.make_model_folder(
        folder / "Dataset900_Seeded", names, plans=plans, folds=folds, mirroring_axes=axes
    )
    model = load_model(read_model_folder(path), CPU)
    for layer in (layer for fold in model.networks for layer in fold.modules() if isinstance(layer, nn.BatchNorm3d)):
        layer.running_mean.copy_(torch.linspace(-0.5, 0.5, layer.num_features))
        layer.running_var.copy_(torch.linspace(0.5, 2.0, layer.num_features))
    return model


def tile(seed: int = 0) -> torch.Tensor:
    return torch.randn((1, 1, *PATCH), generator=torch.Generator().manual_seed(seed))


def plain_mean(model: LoadedModel, voxels: torch.Tensor) -> torch.Tensor:
    """The logits computed plainly, with the whole networks."""
    axes = [[], *([axis + 2] for axis in model.mirroring_axes)]
    if len(model.mirroring_axes) == 2:
        axes.append([axis + 2 for axis in model.mirroring_axes])
    answers = [torch.flip(network(torch.flip(voxels, flip)), flip) for network in model.networks for flip in axes]
    return torch.stack(answers).mean(dim=0)[0]


def logits_of(runner: TileRunner, voxels: torch.Tensor) -> torch.Tensor:
    answer = runner.run(voxels)[0]
    assert answer.dtype == torch.float32
    assert answer.shape == (runner.channels, *PATCH)
    return answer.clone() if runner.head is None else runner.head.logits(answer, None)


def assert_same(logits: torch.Tensor, expected: torch.Tensor) -> None:
    assert (logits - expected).abs().max() < 1e-4 * expected.abs().max()
    assert (logits.argmax(dim=0) == expected.argmax(dim=0)).float().mean() >= 0.999


RUNNERS: dict[str, Callable[[LoadedModel], TileRunner]] = {
    "eager": lambda model: EagerRunner(model, "exact"),
    "openvino": lambda model: OpenVinoRunner(model, PATCH, "exact"),
}

MODELS = {
    "a plain network": {},
    "a residual network": {"network": "residual"},
    "batch norm": {"norm": "batchnorm.BatchNorm3d"},
    "a residual network with batch norm": {"network": "residual", "norm": "batchnorm.BatchNorm3d"},
    "fewer outputs than features": {"outputs": 3},
    "mirrored": {"axes": (0, 2)},
    "three folds": {"folds": 3},
    "two mirrored folds": {"folds": 2, "axes": (1,)},
}


@pytest.mark.parametrize("runtime", RUNNERS)
@pytest.mark.parametrize("settings", MODELS.values(), ids=MODELS.keys())
def test_a_runner_gives_the_mean_of_the_networks_logits(tmp_path: Path, settings: dict, runtime: str) -> None:
    model = seeded_model(tmp_path, **settings)
    expected = [plain_mean(model, tile(seed)) for seed in (0, 1)]
    runner = RUNNERS[runtime](model)
    assert_same(logits_of(runner, tile(0)), expected[0])
    assert_same(logits_of(runner, tile(1)), expected[1])
    runner.release()  # what it needs again it takes again
    assert_same(logits_of(runner, tile(0)), expected[0])


@pytest.fixture
def compiled_modules_go() -> Iterator[None]:
    """Takes back what torch.compile leaves among the modules: parts of packages that are not there. PySide6 imports all
    modules by their names, and the panel's tests would fail after this one."""
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] not in sys.modules]:
        del sys.modules[name]


@pytest.mark.slow  # a C++ compiler runs
@pytest.mark.skipif(not has_compiler(), reason="there is no C++ compiler")
@pytest.mark.usefixtures("compiled_modules_go")
def test_compiled_networks_give_the_same_logits(tmp_path: Path) -> None:
    model = seeded_model(tmp_path)
    runner = CompiledRunner(model, "exact")
    assert_same(logits_of(runner, tile()), plain_mean(model, tile()))


@pytest.mark.parametrize(
    ("settings", "channels"), [({}, 4), ({"outputs": 3}, 3), ({"folds": 2}, 10), ({"network": "residual"}, 4)]
)
def test_features_come_out_where_they_are_fewer_than_logits(tmp_path: Path, settings: dict, channels: int) -> None:
    model = seeded_model(tmp_path, **settings)
    for make in RUNNERS.values():
        runner = make(model)
        assert (runner.channels, runner.head is None) == (channels, channels != 4)


def test_a_head_of_weighted_sums_gives_as_many_times_the_logits(tmp_path: Path) -> None:
    runner = EagerRunner(seeded_model(tmp_path), "exact")
    features, weights = runner.run(tile())[0], torch.rand(PATCH) + 0.5
    summed = runner.head.logits(features * weights, weights)
    assert torch.allclose(summed, runner.head.logits(features, None) * weights, atol=1e-4)


def test_splitting_leaves_the_network_whole(tmp_path: Path) -> None:
    network = seeded_model(tmp_path).networks[0]
    before = network(tile())
    body, head = split_head(network)
    assert torch.equal(network(tile()), before)
    assert torch.allclose(head(body(tile())), before, atol=1e-5)
    assert head.weight.data_ptr() == network.decoder.seg_layers[-1].weight.data_ptr()


def test_a_network_of_another_kind_has_no_head_to_split() -> None:
    assert split_head(nn.Sequential(nn.Conv3d(1, 2, 1))) is None


@pytest.mark.skipif(not has_bf16(), reason="this processor does not compute with bfloat16")
@pytest.mark.parametrize("runtime", ["eager", "openvino"])
def test_reduced_precision_is_near(tmp_path: Path, runtime: str) -> None:
    model = seeded_model(tmp_path)
    expected = plain_mean(model, tile())
    runner = EagerRunner(model, "reduced") if runtime == "eager" else OpenVinoRunner(model, PATCH, "reduced")
    logits = logits_of(runner, tile())
    difference = (logits - expected).abs().max() / expected.abs().max()
    assert 0 < difference < 0.05, "bfloat16 has 8 bits: neither exact nor far off"


# -- cancelling --------------------------------------------------------------------------------------------------------


class CancelError(Exception):
    """Stands for SegmentationError("CANCELLED")."""


def heavy_model(layer_count: int = 12) -> LoadedModel:
    """Twelve layers take some tenths of a second, longer than a runner waits between two questions."""
    torch.manual_seed(0)
    layers = [nn.Conv3d(1, 32, 3, padding=1), *(nn.Conv3d(32, 32, 3, padding=1) for _ in range(layer_count - 1))]
    return LoadedModel([nn.Sequential(*layers).eval().requires_grad_(False)], (), CPU, 32)


def test_openvino_is_cancelled_within_a_tile_and_runs_again() -> None:
    size = (48, 48, 48)
    runner = OpenVinoRunner(heavy_model(), size, "exact")
    voxels = torch.ones((1, 1, *size))
    expected = runner.run(voxels).clone()

    def cancel() -> None:
        assert threading.current_thread() is threading.main_thread()
        if questions.pop() == "stop":
            raise CancelError

    questions = ["stop", "go on"]  # checked before the network, then while it runs
    runner.check_cancelled = cancel
    with pytest.raises(CancelError):
        runner.run(voxels)
    assert questions == []
    runner.check_cancelled = lambda: None
    assert torch.allclose(runner.run(voxels), expected)


def test_pytorch_is_cancelled_between_layers() -> None:
    model = heavy_model()
    done: list[int] = []
    for number, layer in enumerate(model.networks[0]):
        layer.register_forward_hook(lambda *_, number=number: done.append(number))
    runner = EagerRunner(model, "exact")

    def cancel_after_three_layers() -> None:
        if len(done) == 3:
            raise CancelError

    runner.check_cancelled = cancel_after_three_layers
    with pytest.raises(CancelError):
        runner.run(torch.ones((1, 1, 8, 8, 8)))
    assert done == [0, 1, 2]
    runner.check_cancelled = lambda: None
    assert runner.run(torch.ones((1, 1, 8, 8, 8))).shape == (1, 32, 8, 8, 8)


# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
def test_releasing_gives_the_activations_back() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    size = (48, 80, 80)  # 39 MB a layer
    for runner in (OpenVinoRunner(heavy_model(4), size, "exact"), EagerRunner(heavy_model(4), "exact")):
        runner.release()
        before = resident_mb()
        answer = runner.run(torch.ones((1, 1, *size)))
        during = resident_mb()
        del answer
        runner.release()
        assert during - before > 60, runner.runtime
        assert resident_mb() - before < (during - before) / 4, runner.runtime
