"""How fast this machine computes convolutions: a short trial, for the time of networks that never ran here."""

from __future__ import annotations

import importlib.util
import logging
import time

import torch
from torch import nn
from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME

from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.tile_runner import EagerRunner, TileRunner

logger = logging.getLogger(__name__)

_FEATURES, _SIZE = 32, 48
"""Of the finest stage of published networks, where most of their work is; and voxels along each axis."""
_LARGER_SIZE = 96
_TOO_SHORT_SECONDS = 0.01
"""A machine that is as fast as this is tried with the larger size: starting the work would count for most."""


def pace_trial(runtime: str, precision: str, device: torch.device) -> tuple[float, float] | None:
    """Floating point operations (as plan.network_work counts them) and the seconds that they took: two convolutions
    with their norms, as a network has them, once to warm up and then the shorter of two times.

    A fraction of a second on two cores. None where the runtime is not there or cannot run them.
    """
    try:
        size, seconds = _SIZE, _seconds(runtime, precision, device, _SIZE)
        if seconds < _TOO_SHORT_SECONDS:
            size, seconds = _LARGER_SIZE, _seconds(runtime, precision, device, _LARGER_SIZE)
    except (RuntimeError, ImportError, MemoryError, AssertionError) as error:  # the last is PyTorch's without CUDA
        logger.info("the trial of this machine failed: %s", type(error).__name__)
        return None
    operations = 2.0 * 27 * (_FEATURES + _FEATURES**2) * size**3
    logger.info("trial of this machine: %.0f GFLOP/s by %s on %s", operations / seconds / 1e9, runtime, device.type)
    return operations, seconds


def _seconds(runtime: str, precision: str, device: torch.device, size: int) -> float:
    """Raises RuntimeError, ImportError or MemoryError where it cannot be run."""
    runner = _runner(runtime, precision, device, size)
    tile = torch.randn((1, 1, size, size, size), generator=torch.Generator().manual_seed(0))
    try:
        _run(runner, tile)
        return min(_run(runner, tile) for _ in range(2))
    finally:
        runner.release()


def _run(runner: TileRunner, tile: torch.Tensor) -> float:
    """Seconds until the result is there: a value of it comes to the processor."""
    started = time.perf_counter()
    runner.run(tile)[0, 0, 0, 0, 0].item()
    return max(time.perf_counter() - started, 1e-6)


def _runner(runtime: str, precision: str, device: torch.device, size: int) -> TileRunner:
    layers: list[nn.Module] = []
    for before in (1, _FEATURES):
        layers += [
            nn.Conv3d(before, _FEATURES, 3, padding=1),
            nn.InstanceNorm3d(_FEATURES, affine=True),
            nn.LeakyReLU(inplace=True),
        ]
    network = nn.Sequential(*layers).requires_grad_(False).eval().to(device)
    model = LoadedModel([network], (), device, _FEATURES)
    if runtime == GRAPHICS_RUNTIME:
        from TotalSegmentatorEngine.inference.openvino_gpu_runner import OpenVinoGpuRunner

        return OpenVinoGpuRunner(model, (size,) * 3, precision)
    if runtime == "openvino" and importlib.util.find_spec("openvino") is not None:
        from TotalSegmentatorEngine.inference.openvino_runner import OpenVinoRunner

        return OpenVinoRunner(model, (size,) * 3, precision)
    return EagerRunner(model, precision)
