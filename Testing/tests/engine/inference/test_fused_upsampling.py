"""A decoder's upsampling fused with the convolution after it: the same numbers as PyTorch, with less arithmetic."""

from __future__ import annotations

import openvino
import pytest
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet, ResidualEncoderUNet
from torch import nn
from TotalSegmentatorEngine.inference.fused_upsampling import find_fused
from TotalSegmentatorEngine.inference.openvino_graph import openvino_model

TILE = (16, 24, 16)


def unet(strides: list, kernels: list, kind: type = PlainConvUNet, **changes: object) -> nn.Module:
    torch.manual_seed(5)
    depth = {"n_conv_per_stage": 2} if kind is PlainConvUNet else {"n_blocks_per_stage": 2}
    arguments = {
        "input_channels": 1,
        "n_stages": len(strides),
        "features_per_stage": [4, 8, 16][: len(strides)],
        "conv_op": nn.Conv3d,
        "kernel_sizes": kernels,
        "strides": strides,
        "num_classes": 5,
        "n_conv_per_stage_decoder": 2,
        "conv_bias": True,
        "norm_op": nn.InstanceNorm3d,
        "norm_op_kwargs": {"affine": True, "eps": 1e-5},
        "nonlin": nn.LeakyReLU,
        "nonlin_kwargs": {"inplace": True},
        "deep_supervision": False,
    }
    network = kind(**{**arguments, **depth, **changes}).eval().requires_grad_(False)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            parameter.uniform_(-1, 1)  # untrained biases are 0, and hide a mistake at the border
    return network


def answer(network: nn.Module, tile: torch.Tensor, joins: bool) -> torch.Tensor:
    model = openvino_model(network, tile.shape[2:], in_float32=joins)
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return torch.from_numpy(compiled(tile.numpy())[0].copy())


CASES = {
    "isotropic": ([1, 2, 2], [3, 3, 3]),
    "stride 2 along one axis": ([[1, 1, 1], [1, 2, 2], [2, 2, 1]], [[3, 3, 3]] * 3),
    "flat kernels": ([[1, 1, 1], [1, 2, 2], [2, 2, 2]], [[1, 3, 3], [1, 3, 3], [3, 3, 3]]),
    "wide kernels": ([1, 2, 4], [5, 3, 3]),
}


@pytest.mark.parametrize("case", CASES)
def test_joined_networks_answer_as_pytorch_does_at_the_borders_too(case: str) -> None:
    network, tile = unet(*CASES[case]), torch.randn(1, 1, *TILE)
    assert find_fused(torch.fx.symbolic_trace(network)), "nothing is fused here, so nothing is tested"
    with torch.inference_mode():
        expected = network(tile)
    difference = (answer(network, tile, joins=True) - expected).abs()
    assert difference.max() < 1e-3 * expected.abs().max()
    for axis in (2, 3, 4):
        for border in (0, -1):
            assert difference.select(axis, border).max() < 1e-3 * expected.abs().max()


def test_each_level_of_a_decoder_is_joined() -> None:
    assert len(find_fused(torch.fx.symbolic_trace(unet([1, 2, 2], [3, 3, 3])))) == 2


def test_joined_networks_hold_no_concatenation() -> None:
    network = unet([1, 2, 2], [3, 3, 3])
    kinds = [node.get_type_name() for node in openvino_model(network, TILE, in_float32=True).get_ops()]
    apart = [node.get_type_name() for node in openvino_model(network, TILE, in_float32=False).get_ops()]
    assert kinds.count("Concat") == 0 and apart.count("Concat") == 2


def test_networks_without_biases_need_no_ones() -> None:
    network = unet([1, 2, 2], [3, 3, 3], conv_bias=False)
    joints = find_fused(torch.fx.symbolic_trace(network))
    assert [fused.ones_from for fused in joints] == [None, None]
    tile = torch.randn(1, 1, *TILE)
    with torch.inference_mode():
        expected = network(tile)
    assert (answer(network, tile, joins=True) - expected).abs().max() < 1e-3 * expected.abs().max()


@pytest.mark.parametrize("changes", [{"norm_op": None, "norm_op_kwargs": {}}, {"nonlin": nn.Identity}])
def test_upsampling_stays_apart_where_nothing_can_carry_its_bias(changes: dict) -> None:
    network = unet([1, 2], [3, 3], **{"nonlin_kwargs": {}, **changes})
    assert find_fused(torch.fx.symbolic_trace(network)) == []


def test_residual_networks_are_left_as_they_are_where_a_sum_stands_between() -> None:
    network, tile = unet([1, 2, 2], [3, 3, 3], ResidualEncoderUNet), torch.randn(1, 1, *TILE)
    with torch.inference_mode():
        expected = network(tile)
    assert (answer(network, tile, joins=True) - expected).abs().max() < 1e-3 * expected.abs().max()


def test_upsampling_without_a_stride_is_not_worth_joining() -> None:
    assert find_fused(torch.fx.symbolic_trace(unet([1, 1], [3, 3]))) == []
