"""Compares runtimes of a network on this machine: how long a tile takes, and whether the labels agree."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from TotalSegmentatorEngine.inference.tile_runner import TileRunner

_FEWEST_FOREGROUND_VOXELS = 100
"""Agreement counts on the foreground, unless the tile has hardly any."""


@dataclass(frozen=True, eq=False)
class TrialResult:
    """The labels of one runtime, and how fast it is."""

    seconds: float
    labels: np.ndarray
    """uint8 (z, y, x)."""


def try_runner(runner: TileRunner, tile: np.ndarray) -> TrialResult:
    """Runs ``tile`` (z, y, x) float32 once to warm up and then timed, the shorter of two times; what else the machine
    does only makes a time longer. The runner's memory is given back."""
    tiles = torch.from_numpy(np.ascontiguousarray(tile))[None, None]
    with torch.inference_mode():
        answer = runner.run(tiles)[0]
        logits = answer if runner.head is None else runner.head.logits(answer, None)
        labels = logits.max(dim=0).indices.to(torch.uint8).cpu().numpy()
        del answer, logits
        seconds = min(_timed(runner, tiles) for _ in range(2))
    runner.release()
    return TrialResult(seconds, labels)


def _timed(runner: TileRunner, tiles: torch.Tensor) -> float:
    started = time.perf_counter()
    runner.run(tiles)
    return time.perf_counter() - started


def agreement(reference: np.ndarray, other: np.ndarray) -> float:
    """Share of the reference's foreground voxels that have the same label in ``other``."""
    foreground = reference != 0
    same = reference == other
    return float(same[foreground].mean() if foreground.sum() >= _FEWEST_FOREGROUND_VOXELS else same.mean())


def trial_patch(network: nn.Module, patch_size: Sequence[int]) -> tuple[int, int, int]:
    """About half of the patch along each axis, for an eighth of the time and memory.

    It can still be halved as often as the network does, with two voxels left: the norm of a single one has no spread.
    The patch itself where the network's strides are unknown.
    """
    stages = getattr(getattr(network, "encoder", None), "strides", None)
    if not stages:
        return tuple(patch_size)
    strides = [
        math.prod(stage[axis] if isinstance(stage, Sequence) else stage for stage in stages) for axis in range(3)
    ]
    return tuple(
        min(patch, stride * max(math.ceil(patch / 2 / stride), 2))
        for patch, stride in zip(patch_size, strides, strict=True)
    )


def middle_of(tile: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """The middle of ``tile``, which is at least ``size`` large."""
    starts = [(large - small) // 2 for large, small in zip(tile.shape, size, strict=True)]
    return tile[tuple(slice(start, start + length) for start, length in zip(starts, size, strict=True))]
