"""From the weights of nnU-Net v1's Generic_UNet to those of v2's PlainConvUNet, the same network under other names.

Two things differ. v1 has no bias on its transposed convolutions and, usually, heads: v2 gets zeros. And a stage of v1's
decoder has the kernels of the encoder's stage *below* it, one of v2's those of the stage beside it; where plans have
flat kernels (1 x 3 x 3) before full ones, v2's stage gets the larger of the two, and the smaller kernel is set into its
middle among zeros, which changes no result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch.nn.functional import pad
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.model_install.v1_folder import V1Plans

_LAYERS = {"conv": "conv", "norm": "instnorm"}
_ALIASES = {"all_modules.0": "conv", "all_modules.1": "norm"}
"""v2's blocks hold each layer twice."""
Kernel = tuple[int, int, int]


def fused_kernels(plans: V1Plans) -> list[Kernel]:
    """Kernel of each stage of v2's network: large enough for v1's encoder and decoder."""
    joined = []
    for stage, kernel in enumerate(plans.kernels):
        decoder = _decoder_kernel(plans, stage) if stage < len(plans.pools) else kernel
        joined.append(tuple(map(max, kernel, decoder)))
    return joined


def converted_weights(
    old: Mapping[str, torch.Tensor], plans: V1Plans, shapes: Mapping[str, torch.Size]
) -> dict[str, torch.Tensor]:
    """A tensor for each name in ``shapes``, which are those of v2's network.

    Raises SegmentationError("MODEL_DAMAGED") where one is missing, left over, of another shape or not finite.
    """
    old = {name.removeprefix("module."): tensor for name, tensor in old.items()}
    new: dict[str, torch.Tensor] = {}
    made: dict[str, torch.Tensor] = {}
    used = set()
    for name, shape in shapes.items():
        plain = _plain_name(name)
        if plain not in made:
            source, kernel = _source(plain, plans)
            made[plain] = _tensor(old, source, kernel, shape)
            used.add(source)
        new[name] = made[plain]
    left_over = sorted(set(old) - used)
    if left_over:
        raise SegmentationError(
            "MODEL_DAMAGED", detail=f"the weights {left_over[0]:.60} do not belong to the network in the plans"
        )
    return new


def _plain_name(name: str) -> str:
    """The first of v2's several names of one tensor."""
    name = name.removeprefix("decoder.") if name.startswith("decoder.encoder.") else name
    for alias, layer in _ALIASES.items():
        name = name.replace(alias, layer)
    return name


def _source(name: str, plans: V1Plans) -> tuple[str, Kernel | None]:
    """v1's name of a tensor of v2, and the kernel that v1 has there if it is a convolution's between stages."""
    stages = len(plans.pools)
    match = re.fullmatch(r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.(conv|norm)\.(weight|bias)", name)
    if match:
        stage, index, layer, kind = int(match[1]), int(match[2]), match[3], match[4]
        place = f"{stage}.blocks.{index}" if stage < stages else f"{stage}.{_place_in_two_stacks(index, plans)}"
        kernel = plans.kernels[stage] if (layer, kind) == ("conv", "weight") else None
        return f"conv_blocks_context.{place}.{_LAYERS[layer]}.{kind}", kernel
    match = re.fullmatch(r"decoder\.stages\.(\d+)\.convs\.(\d+)\.(conv|norm)\.(weight|bias)", name)
    if match:
        up, index, layer, kind = int(match[1]), int(match[2]), match[3], match[4]
        kernel = _decoder_kernel(plans, stages - 1 - up) if (layer, kind) == ("conv", "weight") else None
        place = _place_in_two_stacks(index, plans)
        return f"conv_blocks_localization.{up}.{place}.{_LAYERS[layer]}.{kind}", kernel
    match = re.fullmatch(r"decoder\.(transpconvs|seg_layers)\.(\d+)\.(weight|bias)", name)
    if match:
        old = {"transpconvs": "tu", "seg_layers": "seg_outputs"}[match[1]]
        return f"{old}.{match[2]}.{match[3]}", None
    raise SegmentationError("MODEL_UNSUPPORTED", detail=f"layer {name:.60}")


def _place_in_two_stacks(index: int, plans: V1Plans) -> str:
    first = plans.stacked_convolutions - 1
    return f"0.blocks.{index}" if index < first else f"1.blocks.{index - first}"


def _decoder_kernel(plans: V1Plans, stage: int) -> Kernel:
    """Of v1's decoder at the resolution of the encoder's ``stage`` (Generic_UNet: conv_kernel_sizes[-(u + 1)])."""
    return plans.kernels[stage + 1]


def _tensor(old: Mapping[str, torch.Tensor], name: str, kernel: Kernel | None, shape: torch.Size) -> torch.Tensor:
    """v1's tensor in v2's shape. ``kernel`` is what v1's plans say; a missing bias of an upsampling or head is zero."""
    tensor = old.get(name)
    if tensor is None:
        if re.fullmatch(r"(tu|seg_outputs)\.\d+\.bias", name):
            return torch.zeros(shape)
        raise SegmentationError("MODEL_DAMAGED", detail=f"the weights {name} are missing")
    expected = tuple(shape) if kernel is None else (*shape[:2], *kernel)
    if tuple(tensor.shape) != expected:
        raise SegmentationError(
            "MODEL_DAMAGED", detail=f"the weights {name} do not have the shape that the plans require"
        )
    tensor = tensor.detach().to(torch.float32)
    if not bool(torch.isfinite(tensor).all()):
        raise SegmentationError("MODEL_DAMAGED", detail=f"the weights {name} are not finite")
    if kernel is not None and kernel != tuple(shape[2:]):
        missing = [(wanted - length) // 2 for wanted, length in zip(shape[2:], kernel, strict=True)]
        tensor = pad(tensor, [width for axis in reversed(missing) for width in (axis, axis)])
    return tensor.clone(memory_format=torch.contiguous_format)
