"""Saves arithmetic where a U-Net's decoder upsamples: the transposed convolution and the convolution after it are one.

A decoder upsamples coarse features by a transposed convolution, puts the encoder's features beside them, and convolves
both. No non-linearity separates the two, so for the coarse half they are together one transposed convolution with a
larger kernel (stride 2 and kernels 2 and 3 make a kernel of 4): 8 coarse voxels per fine voxel in place of 27 fine
ones, and the upsampled features are never stored. The other half stays a convolution; the sum of both is the result.

The transposed convolution's bias does not reach beyond the image's border, as the fine convolution's zeros there show.
It is carried by one more coarse channel that is 1 everywhere, which the norm before it provides at no cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn


@dataclass(frozen=True, eq=False)
class FusedUpsampling:
    """One place of a traced network where upsampling and convolution are fused."""

    coarse: torch.fx.Node
    skip: torch.fx.Node
    upsampling: torch.fx.Node
    together: torch.fx.Node
    """The concatenation of both."""
    convolution: torch.fx.Node
    ones_from: tuple[torch.fx.Node, torch.fx.Node] | None
    """Convolution and norm that get one more channel, of ones; None where there is no bias."""


@dataclass(frozen=True, eq=False)
class FusedKernels:
    """Weights of the two halves, float32."""

    coarse: np.ndarray
    """(coarse channels, outputs, kz, ky, kx) of a transposed convolution."""
    strides: list[int]
    padding: list[int]
    skip: np.ndarray
    """(outputs, skip channels, kz, ky, kx) of the convolution, with its own padding."""


def find_fused(traced: torch.fx.GraphModule) -> list[FusedUpsampling]:
    """The places where fusing saves arithmetic and changes nothing else."""
    layers = dict(traced.named_modules())
    found = [_fused_at(node, layers) for node in traced.graph.nodes if node.op == "call_function"]
    return [fused for fused in found if fused is not None]


def fused_kernels(fused: FusedUpsampling, layers: dict[str, nn.Module]) -> FusedKernels:
    """With t the tap of the upsampling (stride s) and j that of the convolution (padding p), the fine voxel
    s z + t - j + p gets coarse voxel z: tap t - j + 2 p of the joint kernel. Computed in float64."""
    upsampling, convolution = layers[fused.upsampling.target], layers[fused.convolution.target]
    up_weight, weight = upsampling.weight.double().numpy(), convolution.weight.double().numpy()
    upsampled = up_weight.shape[1]
    fine, skip = weight[:, :upsampled], weight[:, upsampled:]
    if fused.ones_from is not None:
        up_weight = np.concatenate([up_weight, np.zeros_like(up_weight[:1])])
        up_weight[-1] = upsampling.bias.double().numpy()[:, None, None, None]
    size = [stride + kernel - 1 for stride, kernel in zip(upsampling.stride, convolution.kernel_size, strict=True)]
    coarse = np.zeros((*size, len(up_weight), len(weight)))
    by_place = np.ascontiguousarray(up_weight.transpose(2, 3, 4, 0, 1))
    by_tap = np.ascontiguousarray(fine.transpose(1, 2, 3, 4, 0))  # upsampled channels, taps, outputs
    for place in np.ndindex(*upsampling.kernel_size):
        products = (by_place[place] @ by_tap.reshape(upsampled, -1)).reshape(len(up_weight), *by_tap.shape[1:])
        for taps in np.ndindex(*convolution.kernel_size):
            joint = tuple(t - j + 2 * p for t, j, p in zip(place, taps, convolution.padding, strict=True))
            coarse[joint] += products[(slice(None), *taps)]
    return FusedKernels(
        np.ascontiguousarray(coarse.transpose(3, 4, 0, 1, 2), dtype=np.float32),
        list(upsampling.stride),
        list(convolution.padding),
        skip.astype(np.float32),
    )


def _fused_at(together: torch.fx.Node, layers: dict[str, nn.Module]) -> FusedUpsampling | None:
    if together.target is not torch.cat or len(together.args) == 0 or len(together.args[0]) != 2:
        return None
    axis = together.args[1] if len(together.args) > 1 else together.kwargs.get("dim", 0)
    upsampling, skip = together.args[0]
    convolution = _only_user(together)
    if axis != 1 or convolution is None or _only_user(upsampling) is not together:
        return None
    up, conv = _layer(upsampling, layers), _layer(convolution, layers)
    if not isinstance(up, nn.ConvTranspose3d) or not isinstance(conv, nn.Conv3d):
        return None
    if not _is_plain(up, conv) or not _saves_arithmetic(up, conv):
        return None
    coarse = upsampling.args[0]
    ones_from = None
    if up.bias is not None and bool(up.bias.any()):
        ones_from = _source_of_ones(coarse, upsampling, layers)
        if ones_from is None:
            return None
    return FusedUpsampling(coarse, skip, upsampling, together, convolution, ones_from)


def _is_plain(up: nn.ConvTranspose3d, conv: nn.Conv3d) -> bool:
    """The upsampling's taps do not overlap, and the convolution keeps the size."""
    keeps_size = all(2 * p == k - 1 for p, k in zip(conv.padding, conv.kernel_size, strict=True))
    return (
        up.kernel_size == up.stride
        and (up.groups, *up.padding, *up.output_padding, *up.dilation) == (1, 0, 0, 0, 0, 0, 0, 1, 1, 1)
        and (conv.groups, *conv.stride, *conv.dilation) == (1, 1, 1, 1, 1, 1, 1)
        and conv.padding_mode == "zeros"
        and keeps_size
    )


def _saves_arithmetic(up: nn.ConvTranspose3d, conv: nn.Conv3d) -> bool:
    """Multiplications per fine voxel, fused and apart."""
    taps = math.prod(math.ceil((s + k - 1) / s) for s, k in zip(up.stride, conv.kernel_size, strict=True))
    fused = taps * up.in_channels * conv.out_channels
    apart = math.prod(conv.kernel_size) * up.out_channels * conv.out_channels + up.in_channels * up.out_channels
    return fused < 0.9 * apart


def _source_of_ones(
    coarse: torch.fx.Node, upsampling: torch.fx.Node, layers: dict[str, nn.Module]
) -> tuple[torch.fx.Node, torch.fx.Node] | None:
    """Convolution and norm behind the coarse features, whose activation leaves a 1 as it is."""
    if _only_user(coarse) is not upsampling or not isinstance(_layer(coarse, layers), nn.LeakyReLU | nn.ReLU):
        return None
    norm = coarse.args[0]
    layer = _layer(norm, layers)
    if not isinstance(layer, nn.InstanceNorm3d) or layer.weight is None or layer.track_running_stats:
        return None
    convolution = norm.args[0]
    is_fit = isinstance(_layer(convolution, layers), nn.Conv3d) and _layer(convolution, layers).groups == 1
    return (convolution, norm) if is_fit and _only_user(convolution) is norm and _only_user(norm) is coarse else None


def _only_user(node: torch.fx.Node) -> torch.fx.Node | None:
    return next(iter(node.users)) if isinstance(node, torch.fx.Node) and len(node.users) == 1 else None


def _layer(node: object, layers: dict[str, nn.Module]) -> nn.Module | None:
    return layers.get(node.target) if isinstance(node, torch.fx.Node) and node.op == "call_module" else None
