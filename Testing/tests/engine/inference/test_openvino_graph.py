"""Layers as OpenVINO operations, and the refusal of what is not translated."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from TotalSegmentatorEngine.inference.network import LoadedModel

graph = pytest.importorskip("TotalSegmentatorEngine.inference.openvino_graph")
runners = pytest.importorskip("TotalSegmentatorEngine.inference.openvino_runner")

SIZE = (10, 12, 14)

LAYERS = {
    "a dilated convolution": nn.Conv3d(4, 4, 3, padding=2, dilation=2),
    "a strided convolution": nn.Conv3d(4, 4, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
    "a convolution in groups": nn.Conv3d(4, 4, 3, padding=1, groups=2, bias=False),
    "a transposed convolution": nn.ConvTranspose3d(4, 4, (1, 2, 2), (1, 2, 2)),
    "a padded transposed convolution": nn.ConvTranspose3d(4, 4, 3, 2, padding=1, output_padding=1, bias=False),
    "an instance norm without weights": nn.InstanceNorm3d(4, eps=1e-3),
    "an instance norm with statistics": nn.InstanceNorm3d(4, affine=True, track_running_stats=True),
    "a batch norm without weights": nn.BatchNorm3d(4, affine=False),
    "a leaky ReLU": nn.LeakyReLU(0.2),
    "a ReLU": nn.ReLU(),
    "an average pool": nn.AvgPool3d((1, 2, 2), (1, 2, 2)),
    "a padded average pool": nn.AvgPool3d(3, 2, padding=1),
    "an average pool without its padding": nn.AvgPool3d(3, 2, padding=1, count_include_pad=False),
    "a max pool": nn.MaxPool3d(2, 2),
    "a dropout": nn.Dropout3d(0.5),
    "nothing": nn.Identity(),
}


def run(network: nn.Module, voxels: torch.Tensor) -> torch.Tensor:
    model = LoadedModel([network.eval().requires_grad_(False)], (), torch.device("cpu"), 4)
    return runners.OpenVinoRunner(model, voxels.shape[2:], "exact").run(voxels)


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_a_layer_computes_what_pytorch_computes(layer: nn.Module) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv3d(1, 4, 1), layer, nn.Conv3d(4, 4, 1)).eval().requires_grad_(False)
    for module in network.modules():
        if getattr(module, "running_var", None) is not None:
            module.running_mean.copy_(torch.linspace(-1, 1, 4))
            module.running_var.copy_(torch.linspace(0.5, 3, 4))
    voxels = torch.randn((1, 1, *SIZE))
    expected = network(voxels)
    assert torch.allclose(run(network, voxels), expected, atol=1e-4)


class TwoBranches(nn.Module):
    """Sums and concatenates by the functions that a network may use."""

    def __init__(self, combine) -> None:
        super().__init__()
        self.one, self.two = nn.Conv3d(1, 4, 1), nn.Conv3d(1, 4, 1)
        self.combine = combine

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.combine(self.one(x), self.two(x))


def _added_in_place(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    a += b
    return a


@pytest.mark.parametrize(
    "combine",
    [
        lambda a, b: a + b,
        _added_in_place,
        torch.add,
        lambda a, b: torch.cat((b, a), 1),
        lambda a, b: torch.cat([a, b], dim=1),
    ],
)
def test_branches_come_together(combine) -> None:
    torch.manual_seed(4)
    network = TwoBranches(combine)
    voxels = torch.randn((1, 1, *SIZE))
    assert torch.allclose(run(network, voxels), network(voxels), atol=1e-5)


class Deciding(nn.Module):
    """What it does depends on the voxels, so it cannot be written down as layers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.mean() > 0 else -x


@pytest.mark.parametrize(
    ("network", "named"),
    [
        (nn.Sequential(nn.Conv3d(1, 4, 1), nn.GELU()), "GELU"),
        (nn.Conv3d(1, 4, 3, padding=1, padding_mode="reflect"), "reflect"),
        (nn.AvgPool3d(3, 2, ceil_mode=True), "average"),
        (nn.MaxPool3d(3, 2, ceil_mode=True), "max pool"),
        (TwoBranches(lambda a, b: a * b), "mul"),
        (TwoBranches(lambda a, b: a + 1), "int"),
        (TwoBranches(lambda a, b: torch.add(a, b, alpha=2)), "add"),
        (Deciding(), "tracing"),
    ],
)
def test_what_is_not_translated_is_refused_by_name(network: nn.Module, named: str) -> None:
    with pytest.raises(graph.UnsupportedNetworkError, match=named):
        graph.openvino_model(nn.Sequential(network).eval().requires_grad_(False), SIZE)


def test_norms_of_large_channels_keep_their_digits() -> None:
    """A million voxels of nearly the same value, as air is: added up one by one in float32 they lose three digits."""
    norm = nn.InstanceNorm3d(2, affine=True).eval().requires_grad_(False)
    layer = nn.Sequential(nn.Conv3d(1, 2, 1), norm).eval().requires_grad_(False)
    layer[0].weight[:] = 1.0
    layer[0].bias[:] = torch.tensor([30.0, -7.0])
    tile = torch.randn(1, 1, 96, 104, 112)
    expected = layer.double()(tile.double()).float()
    model = graph.openvino_model(layer.float(), tile.shape[2:])
    answer = graph.openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(tile.numpy())[0]
    assert (torch.from_numpy(answer) - expected).abs().max() < 2e-4


@pytest.mark.parametrize("shape", [(7, 9, 5), (8, 16, 11), (1, 3, 64)])
def test_means_in_groups_are_means_for_every_size(shape: tuple[int, int, int]) -> None:
    layer = nn.Sequential(nn.InstanceNorm3d(1, affine=True)).eval().requires_grad_(False)
    tile = 5 + 3 * torch.randn(1, 1, *shape)
    model = graph.openvino_model(layer, shape)
    answer = graph.openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(tile.numpy())[0]
    assert (torch.from_numpy(answer) - layer(tile)).abs().max() < 1e-4
