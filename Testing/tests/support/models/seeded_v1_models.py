"""Makes small nnU-Net v1 model folders with seeded random weights, and computes what v1's network makes of a tile.

``v1_logits`` is written after the structure of nnunet 1.7.1's Generic_UNet; the benchmark "conversion" compares with
that program itself.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

WEIGHTS = "model_final_checkpoint.model"
LEAF = "nnUNetTrainerV2_ep4000_nomirror__nnUNetPlansv2.1"
TASK = "Task251_TotalSegmentator_part1_organs_1139subj"


@dataclass(frozen=True)
class V1Shape:
    """What distinguishes v1 networks; patch, spacing, pools and kernels in the network's axes."""

    patch_size: Sequence[int] = (16, 16, 16)
    spacing: Sequence[float] = (1.5, 1.5, 1.5)
    pools: Sequence[Sequence[int]] = ((2, 2, 2), (2, 2, 2))
    kernels: Sequence[Sequence[int]] = ((3, 3, 3), (3, 3, 3), (3, 3, 3))
    features: int = 4
    convolutions: int = 2
    labels: int = 17
    transpose_forward: Sequence[int] = (0, 1, 2)
    changes: Mapping[str, Any] = field(default_factory=dict)
    """More entries of plans.pkl."""


FLAT = V1Shape((8, 16, 16), (5.0, 1.0, 1.0), ((1, 2, 2), (2, 2, 2)), ((1, 3, 3), (3, 3, 3), (3, 3, 3)), labels=3)
"""Thick slices: flat kernels and pools before full ones."""
SIX_STAGES = V1Shape(
    (16, 32, 32), (3.0,) * 3, ((2, 2, 2),) * 4 + ((1, 1, 2),), ((3, 3, 3),) * 6, convolutions=3, labels=4
)
"""As v1 plans a patch of 112 x 112 x 128: the last stride along one axis alone."""


def v1_plans(shape: V1Shape) -> dict[str, Any]:
    """plans.pkl with NumPy's types where v1's planner leaves them."""
    stage = {
        "batch_size": 2,
        "num_pool_per_axis": [sum(pool[axis] == 2 for pool in shape.pools) for axis in range(3)],
        "patch_size": np.array(shape.patch_size),
        "median_patient_size_in_voxels": np.array([200, 200, 200]),
        "current_spacing": np.array(shape.spacing),
        "pool_op_kernel_sizes": [list(pool) for pool in shape.pools],
        "conv_kernel_sizes": [list(kernel) for kernel in shape.kernels],
    }
    known = {"mean": np.float32(-50.0), "sd": np.float64(500.0), "mn": -1024.0, "mx": 3000.0, "median": 10.0}
    intensities = OrderedDict(known | {"percentile_00_5": np.float64(-1004.0), "percentile_99_5": np.float64(1588.0)})
    return {
        "num_modalities": 1,
        "normalization_schemes": OrderedDict([(0, "CT")]),
        "use_mask_for_norm": OrderedDict([(0, False)]),
        "dataset_properties": {
            "intensityproperties": OrderedDict([(0, intensities)]),
            "all_sizes": [np.array([200, 200, 200])],
        },
        "num_classes": shape.labels,
        "all_classes": list(range(1, shape.labels + 1)),
        "base_num_features": shape.features,
        "conv_per_stage": shape.convolutions,
        "transpose_forward": list(shape.transpose_forward),
        "transpose_backward": [list(shape.transpose_forward).index(axis) for axis in range(3)],
        "preprocessor_name": "GenericPreprocessor",
        "plans_per_stage": {0: stage},
        **shape.changes,
    }


def v1_state(shape: V1Shape, seed: int) -> dict[str, torch.Tensor]:
    """Weights under the names that Generic_UNet gives them."""
    generator = torch.Generator().manual_seed(seed)
    state: dict[str, torch.Tensor] = OrderedDict()
    widths = [min(shape.features * 2**stage, 320) for stage in range(len(shape.kernels))]
    stacked = max(shape.convolutions - 1, 1)

    def convolution(place: str, inputs: int, outputs: int, kernel: Sequence[int]) -> None:
        scale = (inputs * int(np.prod(kernel))) ** -0.5
        state[f"{place}.conv.weight"] = scale * torch.randn(outputs, inputs, *kernel, generator=generator)
        for name, mean in (("conv.bias", 0.0), ("instnorm.weight", 1.0), ("instnorm.bias", 0.0)):
            state[f"{place}.{name}"] = mean + 0.3 * torch.randn(outputs, generator=generator)

    def two_stacks(place: str, inputs: int, width: int, kernel: Sequence[int]) -> None:
        for index in range(stacked):
            convolution(f"{place}.0.blocks.{index}", width if index else inputs, width, kernel)
        convolution(f"{place}.1.blocks.0", width, width, kernel)

    ups = len(shape.pools)
    for stage in range(ups):
        for index in range(shape.convolutions):
            inputs = widths[stage] if index else (widths[stage - 1] if stage else 1)
            convolution(f"conv_blocks_context.{stage}.blocks.{index}", inputs, widths[stage], shape.kernels[stage])
    two_stacks(f"conv_blocks_context.{ups}", widths[-2], widths[-1], shape.kernels[-1])
    for up in range(ups):
        below, width = widths[-1 - up], widths[-2 - up]
        two_stacks(f"conv_blocks_localization.{up}", 2 * width, width, shape.kernels[-1 - up])
        state[f"tu.{up}.weight"] = 0.3 * torch.randn(below, width, *shape.pools[-1 - up], generator=generator)
        state[f"seg_outputs.{up}.weight"] = torch.randn(shape.labels + 1, width, 1, 1, 1, generator=generator)
    return state


def v1_logits(state: Mapping[str, torch.Tensor], shape: V1Shape, tile: torch.Tensor) -> torch.Tensor:
    """Generic_UNet's answer to a tile (1, 1, z, y, x)."""

    def blocks(place: str, tensor: torch.Tensor, stride: Sequence[int] = (1, 1, 1)) -> torch.Tensor:
        index = 0
        while f"{place}.{index}.conv.weight" in state:
            name = f"{place}.{index}"
            weight = state[f"{name}.conv.weight"]
            padding = [length // 2 for length in weight.shape[2:]]
            tensor = functional.conv3d(
                tensor, weight, state[f"{name}.conv.bias"], stride if index == 0 else (1, 1, 1), padding
            )
            norm = (state[f"{name}.instnorm.{kind}"] for kind in ("weight", "bias"))
            tensor = functional.instance_norm(tensor, None, None, *norm, eps=1e-5)
            tensor = functional.leaky_relu(tensor, 0.01)
            index += 1
        return tensor

    ups = len(shape.pools)
    skips = []
    strides = [(1, 1, 1), *shape.pools]
    for stage in range(ups):
        tile = blocks(f"conv_blocks_context.{stage}.blocks", tile, strides[stage])
        skips.append(tile)
    tile = blocks(f"conv_blocks_context.{ups}.0.blocks", tile, strides[ups])
    tile = blocks(f"conv_blocks_context.{ups}.1.blocks", tile)
    for up in range(ups):
        pool = tuple(shape.pools[-1 - up])
        tile = functional.conv_transpose3d(tile, state[f"tu.{up}.weight"], stride=pool)
        tile = torch.cat((tile, skips[-1 - up]), dim=1)
        tile = blocks(f"conv_blocks_localization.{up}.0.blocks", tile)
        tile = blocks(f"conv_blocks_localization.{up}.1.blocks", tile)
    return functional.conv3d(tile, state[f"seg_outputs.{ups - 1}.weight"])


def v1_checkpoint(state: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """Every key that v1's trainer saves, its losses as NumPy scalars."""
    losses = [np.float32(0.5), np.float64(0.25)]
    return {
        "epoch": 4000,
        "state_dict": OrderedDict(state),
        "optimizer_state_dict": {"state": {0: {"momentum_buffer": torch.zeros(3)}}, "param_groups": [{"lr": 0.01}]},
        "lr_scheduler_state_dict": None,
        "plot_stuff": (losses, losses, [], losses),
        "best_stuff": (None, np.float64(0.1), None),
        "amp_grad_scaler": {"scale": 65536.0},
    }


def make_v1_folder(
    above: Path,
    shape: V1Shape = V1Shape(),
    task: str = TASK,
    leaf: str = LEAF,
    folds: Sequence[str] = ("fold_0",),
    trainer: str | None = None,
) -> Path:
    """Writes ``<above>/<task>/<leaf>`` with plans and, in each fold, weights of another seed; returns it."""
    folder = above / task / leaf
    folder.mkdir(parents=True)
    plans = v1_plans(shape)
    (folder / "plans.pkl").write_bytes(pickle.dumps(plans))
    info = OrderedDict(init=("plans.pkl", 0, None), name=trainer or leaf.split("__")[0], plans=plans)
    for seed, fold in enumerate(folds):
        (folder / fold).mkdir()
        torch.save(v1_checkpoint(v1_state(shape, seed)), folder / fold / WEIGHTS)
        (folder / fold / f"{WEIGHTS}.pkl").write_bytes(pickle.dumps(info))
    return folder
