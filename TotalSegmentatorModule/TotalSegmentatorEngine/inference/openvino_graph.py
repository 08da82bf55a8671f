"""Translates a PyTorch network into an OpenVINO model, layer by layer, in a fraction of a second.

torch.fx writes down the layers that a network runs through; each becomes the OpenVINO operations that compute the
same. OpenVINO's own converter takes seconds and needs its importer of PyTorch; nnU-Net's networks consist of the few
layers below. A network with any other is refused, and runs in PyTorch.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as ops
import torch
from torch import nn

from TotalSegmentatorEngine.inference.fused_upsampling import FusedUpsampling, find_fused, fused_kernels

Node = Any
"""An operation of an OpenVINO model with one output (openvino.Node)."""


class UnsupportedNetworkError(Exception):
    """The network contains something that is not translated here; the message names it."""


def openvino_model(network: nn.Module, patch_size: Sequence[int], in_float32: bool = True) -> openvino.Model:
    """``network`` (in evaluation mode, on the CPU) for one tile: (1, 1, z, y, x) float32 to (1, channels, z, y, x).

    ``in_float32``: it will be computed in float32. Then upsampling is fused with the convolution after it
    (fused_upsampling.py), and means over a tile are summed in small groups; in fewer digits neither would do. Raises
    UnsupportedNetworkError.
    """
    try:
        traced = torch.fx.symbolic_trace(network)
    except Exception as error:  # tracing runs the network's own code with stand-ins, so anything may come
        raise UnsupportedNetworkError(f"tracing: {type(error).__name__}") from error
    return _Translation(traced, in_float32).model(patch_size)


class _Translation:
    """The translation of one traced network."""

    def __init__(self, traced: torch.fx.GraphModule, in_float32: bool) -> None:
        self._steps = list(traced.graph.nodes)
        self._layers = dict(traced.named_modules())
        self._norm = _instance_norm_in_groups if in_float32 else _instance_norm
        joints = find_fused(traced) if in_float32 else []
        self._joints = {fused.convolution: fused for fused in joints}
        self._left_out = {node for fused in joints for node in (fused.upsampling, fused.together)}
        self._with_ones = {node for fused in joints for node in fused.ones_from or ()}
        self._nodes: dict[torch.fx.Node, Node] = {}

    def model(self, patch_size: Sequence[int]) -> openvino.Model:
        parameter = ops.parameter([1, 1, *patch_size], np.float32, name="tile")
        for step in self._steps:
            if step.op == "placeholder":
                if len(self._nodes) > 0:
                    raise UnsupportedNetworkError("a second input")
                self._nodes[step] = parameter
            elif step.op == "output":
                return openvino.Model([self._known(step.args[0])], [parameter], "network")
            elif step not in self._left_out:
                self._nodes[step] = self._translated(step)
        raise UnsupportedNetworkError("no output")

    def _translated(self, step: torch.fx.Node) -> Node:
        if step in self._joints:
            return self._fused(self._joints[step])
        if step.op == "call_module":
            return self._layer(step)
        if step.op == "call_function" and step.target in _SUMS and not step.kwargs:
            return ops.add(*(self._known(argument) for argument in step.args))
        if step.op == "call_function" and step.target is torch.cat:
            axis = step.args[1] if len(step.args) > 1 else step.kwargs.get("dim", 0)
            return ops.concat([self._known(argument) for argument in step.args[0]], axis)
        raise UnsupportedNetworkError(str(step.target))

    def _layer(self, step: torch.fx.Node) -> Node:
        layer = self._layers[step.target]
        if step in self._with_ones:
            layer = _with_ones(layer)
        translate = self._norm if type(layer) is nn.InstanceNorm3d else _LAYERS.get(type(layer))
        if translate is None:
            raise UnsupportedNetworkError(type(layer).__name__)
        return translate(layer, self._known(step.args[0]))

    def _fused(self, fused: FusedUpsampling) -> Node:
        kernels = fused_kernels(fused, self._layers)
        padding, ones = kernels.padding, [1, 1, 1]
        coarse = ops.convolution_backprop_data(
            self._known(fused.coarse),
            _constant(kernels.coarse),
            kernels.strides,
            pads_begin=padding,
            pads_end=padding,
        )
        skip = ops.convolution(self._known(fused.skip), _constant(kernels.skip), ones, padding, padding, ones)
        return _with_bias(self._layers[fused.convolution.target].bias, ops.add(skip, coarse))

    def _known(self, argument: Any) -> Node:
        """The translation of an earlier step's result; numbers and lists are no such thing."""
        if not isinstance(argument, torch.fx.Node):
            raise UnsupportedNetworkError(f"an argument of the kind {type(argument).__name__}")
        return self._nodes[argument]


def _with_ones(layer: nn.Conv3d | nn.InstanceNorm3d) -> nn.Module:
    """The layer with one channel more: a convolution's is 0 everywhere, and the norm after it makes 1 of that."""
    wider = copy.copy(layer)
    wider._parameters = dict(layer._parameters)
    wider.weight = _with_one_more(layer.weight, 0.0)
    if layer.bias is not None:
        wider.bias = _with_one_more(layer.bias, 1.0 if isinstance(layer, nn.InstanceNorm3d) else 0.0)
    return wider


def _with_one_more(parameter: nn.Parameter, value: float) -> nn.Parameter:
    last = torch.full_like(parameter[:1], value)
    return nn.Parameter(torch.cat([parameter, last]), requires_grad=False)


# -- layers ------------------------------------------------------------------------------------------------------------


def _convolution(layer: nn.Conv3d, x: Node) -> Node:
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
        raise UnsupportedNetworkError(f"padding {layer.padding_mode}")
    weight = layer.weight.numpy()
    padding = list(layer.padding)
    if layer.groups == 1:
        y = ops.convolution(x, _constant(weight), list(layer.stride), padding, padding, list(layer.dilation))
    else:
        weight = weight.reshape(layer.groups, -1, *weight.shape[1:])
        y = ops.group_convolution(x, _constant(weight), list(layer.stride), padding, padding, list(layer.dilation))
    return _with_bias(layer.bias, y)


def _transposed_convolution(layer: nn.ConvTranspose3d, x: Node) -> Node:
    if layer.groups != 1:
        raise UnsupportedNetworkError("a transposed convolution in groups")
    y = ops.convolution_backprop_data(
        x,
        _constant(layer.weight.numpy()),
        list(layer.stride),
        pads_begin=list(layer.padding),
        pads_end=list(layer.padding),
        dilations=list(layer.dilation),
        output_padding=list(layer.output_padding),
    )
    return _with_bias(layer.bias, y)


def _instance_norm(layer: nn.InstanceNorm3d, x: Node) -> Node:
    if layer.track_running_stats:
        return _batch_norm(layer, x)
    axes = ops.constant(np.array([2, 3, 4], dtype=np.int64))
    y = ops.mvn(x, axes, True, layer.eps, "inside_sqrt")
    if layer.weight is not None:
        y = ops.multiply(y, _per_channel(layer.weight.numpy()))
    return _with_bias(layer.bias, y)


def _instance_norm_in_groups(layer: nn.InstanceNorm3d, x: Node) -> Node:
    """The same with means that are sums of sums.

    OpenVINO's own norm adds the voxels of a channel one after the other, more than a million: in float32 that costs
    two to three of seven digits, and with near-ties half a percent of the labels.
    """
    if layer.track_running_stats:
        return _batch_norm(layer, x)
    mean = _mean_in_groups(x)
    centred = ops.subtract(x, mean)
    variance = _mean_in_groups(ops.multiply(centred, centred))
    scale = ops.divide(_scalar(1.0), ops.sqrt(ops.add(variance, _scalar(layer.eps))))
    if layer.weight is not None:
        scale = ops.multiply(scale, _per_channel(layer.weight.numpy()))
    shift = ops.multiply(ops.negative(mean), scale)
    return ops.add(ops.multiply(x, scale), _with_bias(layer.bias, shift))


def _mean_in_groups(x: Node) -> Node:
    """(1, channels, 1, 1, 1) mean of (1, channels, z, y, x): of blocks of at most 8 along each axis, then of these."""
    kernel = [max(n for n in range(1, _LARGEST_GROUP + 1) if size % n == 0) for size in list(x.shape)[2:]]
    blocks = ops.avg_pool(x, kernel, [0, 0, 0], [0, 0, 0], kernel, True) if max(kernel) > 1 else x
    for axis in (4, 3, 2):
        blocks = ops.reduce_mean(blocks, ops.constant(np.array([axis], dtype=np.int64)), True)
    return blocks


def _batch_norm(layer: nn.BatchNorm3d | nn.InstanceNorm3d, x: Node) -> Node:
    """With the statistics of the training, one factor and one summand a channel."""
    if layer.running_mean is None or layer.running_var is None:
        raise UnsupportedNetworkError("a batch norm without statistics")
    factor = 1.0 / np.sqrt(layer.running_var.double().numpy() + layer.eps)
    if layer.weight is not None:
        factor = factor * layer.weight.double().numpy()
    summand = -layer.running_mean.double().numpy() * factor
    if layer.bias is not None:
        summand = summand + layer.bias.double().numpy()
    return ops.add(ops.multiply(x, _per_channel(factor)), _per_channel(summand))


def _leaky_relu(layer: nn.LeakyReLU, x: Node) -> Node:
    return ops.prelu(x, ops.constant(np.array([layer.negative_slope], dtype=np.float32)))


def _average_pool(layer: nn.AvgPool3d, x: Node) -> Node:
    if layer.ceil_mode or layer.divisor_override is not None:
        raise UnsupportedNetworkError("an average pool that rounds up")
    kernel, stride, padding = (_three(value) for value in (layer.kernel_size, layer.stride, layer.padding))
    leaves_padding_out = not layer.count_include_pad
    return ops.avg_pool(x, stride, padding, padding, kernel, leaves_padding_out)


def _max_pool(layer: nn.MaxPool3d, x: Node) -> Node:
    if layer.ceil_mode or layer.return_indices:
        raise UnsupportedNetworkError("a max pool that rounds up")
    kernel, stride, padding, dilation = (
        _three(value) for value in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
    )
    return ops.max_pool(x, stride, dilation, padding, padding, kernel).output(0)


def _same(_layer: nn.Module, x: Node) -> Node:
    return x


_LAYERS: dict[type[nn.Module], Callable[[Any, Node], Node]] = {
    nn.Conv3d: _convolution,
    nn.ConvTranspose3d: _transposed_convolution,
    nn.BatchNorm3d: _batch_norm,
    nn.LeakyReLU: _leaky_relu,
    nn.ReLU: lambda _layer, x: ops.relu(x),
    nn.AvgPool3d: _average_pool,
    nn.MaxPool3d: _max_pool,
    nn.Identity: _same,
    nn.Dropout: _same,  # in evaluation mode these do nothing
    nn.Dropout3d: _same,
}
_LARGEST_GROUP = 8
"""Voxels along an axis whose mean is taken at once."""
_SUMS = frozenset([operator.add, operator.iadd, torch.add])


def _with_bias(bias: torch.Tensor | None, x: Node) -> Node:
    return x if bias is None else ops.add(x, _per_channel(bias.numpy()))


def _per_channel(values: np.ndarray) -> Node:
    return _constant(values.astype(np.float32).reshape(1, -1, 1, 1, 1))


def _constant(values: np.ndarray) -> Node:
    return ops.constant(np.ascontiguousarray(values, dtype=np.float32))


def _scalar(value: float) -> Node:
    return ops.constant(np.array(value, dtype=np.float32))


def _three(value: int | Sequence[int]) -> list[int]:
    return [value] * 3 if isinstance(value, int) else list(value)
