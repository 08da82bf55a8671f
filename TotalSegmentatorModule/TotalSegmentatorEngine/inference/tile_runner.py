"""Runs a model folder's networks over tiles: the one interface to PyTorch, compiled PyTorch and OpenVINO."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import nn
from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME

from TotalSegmentatorEngine.inference.network import LoadedModel, split_head
from TotalSegmentatorEngine.machine.allocator import give_memory_back, keep_memory

GPU_TILE_BATCH = 2
"""Tiles that a GPU runs at once at most, in half precision; one in float32. With patches of 128 voxels a tile fills a
GPU, and two take about 2 GB of its memory (computed, not run by the authors)."""


@dataclass(frozen=True)
class Head:
    """The last layer of a network, a matrix from features to logits applied to each voxel."""

    weight: torch.Tensor
    """(outputs, features) float32."""
    bias: torch.Tensor
    """(outputs,) float32."""

    def logits(self, features: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
        """(outputs, ...) of ``features`` (features, ...).

        With ``weights`` (...) the features are sums that stand for ``features / weights``; what comes back is that
        many times the logits, so that the largest is the same.
        """
        flat = features.reshape(features.shape[0], -1)
        ones = self.bias[:, None] if weights is None else self.bias[:, None] * weights.reshape(1, -1)
        return torch.addmm(ones, self.weight, flat).reshape(-1, *features.shape[1:])

    def logits_of_rows(self, features: torch.Tensor) -> torch.Tensor:
        """(n, outputs) of ``features`` (n, features), on the head's device."""
        return torch.addmm(self.bias, features.to(self.weight.device), self.weight.T)

    def to(self, device: torch.device) -> Head:
        return Head(self.weight.to(device), self.bias.to(device))


class TileRunner(Protocol):
    """A model folder's networks, ready to run in one runtime and precision."""

    runtime: str
    precision: str
    device: torch.device
    outputs: int
    """Labels, background included."""
    head: Head | None
    """Where ``run`` gives features: what makes logits of them."""
    channels: int
    """Of what ``run`` gives."""
    tile_batch: int
    """Tiles that may be run at once."""
    weight_bytes: int
    mirror_images: int
    """Of each tile, itself among them, over which predictions are averaged."""
    check_cancelled: Callable[[], None]
    """Called while a tile runs, if the runtime allows; may raise."""

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        """float32 (n, channels, z, y, x) on ``device`` of ``tiles`` (n, 1, z, y, x) float32 on the CPU; valid until
        the next call. The mean over folds and mirror images."""

    def release(self) -> None:
        """Gives the memory of activations back; the next run takes it again."""


def computes_on_processor(runner: TileRunner) -> bool:
    """Whether what a tile takes is the processor's time."""
    return runner.device.type == "cpu" and runner.runtime != GRAPHICS_RUNTIME


class EagerRunner:
    """PyTorch as it is: on a CPU, on CUDA and on Apple's GPU (the last two have not been run by the authors).

    ``precision``: "exact" computes in float32 throughout, TF32 off; "published" under CUDA's autocast (float16), as
    nnU-Net does; "reduced" in bfloat16 on a CPU, in float16 on a GPU.
    """

    runtime = "eager"

    def __init__(self, model: LoadedModel, precision: str, tile_batch: int | None = None) -> None:
        self.precision = precision
        self.device = model.device
        self.outputs = model.outputs
        self.weight_bytes = model.bytes
        self.check_cancelled: Callable[[], None] = lambda: None
        self.tile_batch = tile_batch or (GPU_TILE_BATCH if model.device.type == "cuda" and precision != "exact" else 1)
        networks, self.head = split_model(model)
        self.channels = self.outputs if self.head is None else self.head.weight.shape[1]
        self._networks = [self._prepared(network) for network in networks]
        self._mirrored = mirrored_axes(model.mirroring_axes)
        self.mirror_images = len(self._mirrored)

    def run(self, tiles: torch.Tensor) -> torch.Tensor:
        if self.device.type == "cpu":
            keep_memory()
        with torch.inference_mode(), self._computing(), self._checking_between_layers():
            inputs = tiles.to(self.device, non_blocking=True)
            return averaged_prediction(inputs, self._networks, self._mirrored, self.check_cancelled)

    def release(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        elif self.device.type == "cpu":
            give_memory_back()

    def _prepared(self, network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
        if self.device.type == "cuda" and self.precision != "exact":
            return network.to(memory_format=torch.channels_last_3d)  # tensor cores want it so
        return network

    @contextmanager
    def _checking_between_layers(self) -> Iterator[None]:
        """Lets a job be cancelled before each layer on a CPU; a GPU has all layers queued by then."""
        networks = self._networks if self.device.type == "cpu" else []
        layers = [layer for network in networks for layer in network.modules() if _is_leaf(layer)]
        hooks = [layer.register_forward_pre_hook(lambda *_: self.check_cancelled()) for layer in layers]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _computing(self) -> AbstractContextManager:
        if self.device.type == "cuda":
            # TF32 rounds to 10 bits: exact means without; the head, a matrix, is never rounded
            is_rounded = self.precision != "exact"
            torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = is_rounded, False
            return torch.autocast("cuda", torch.float16) if is_rounded else nullcontext()
        if self.device.type == "cpu" and self.precision == "reduced":
            return torch.autocast("cpu", torch.bfloat16)
        return nullcontext()


def _is_leaf(layer: nn.Module) -> bool:
    return next(layer.children(), None) is None


def split_model(model: LoadedModel) -> tuple[list[nn.Module], Head | None]:
    """The networks to run, and the head that is left to be applied to sums of features.

    A head is taken off where that makes less to sum: more outputs than features, and one fold, since each fold has a
    head of its own.
    """
    if len(model.networks) != 1:
        return model.networks, None
    parts = split_head(model.networks[0])
    if parts is None or parts[1].out_channels <= parts[1].in_channels:
        return model.networks, None
    body, last = parts
    bias = torch.zeros(last.out_channels) if last.bias is None else last.bias
    head = Head(last.weight.reshape(last.out_channels, -1).float().to(model.device), bias.float().to(model.device))
    return [body], head


def mirrored_axes(axes: tuple[int, ...]) -> list[list[int]]:
    """Every combination of mirrored axes, as axes of a batch of tiles (n, channels, z, y, x)."""
    return [
        [axis + 2 for axis in chosen]
        for count in range(len(axes) + 1)
        for chosen in itertools.combinations(axes, count)
    ]


def averaged_prediction(
    tiles: torch.Tensor,
    networks: list[Callable[[torch.Tensor], torch.Tensor]],
    mirrored: list[list[int]],
    check_cancelled: Callable[[], None],
) -> torch.Tensor:
    """float32 mean over networks and mirror images."""
    total = None
    for network, axes in itertools.product(networks, mirrored):
        check_cancelled()
        prediction = torch.flip(network(torch.flip(tiles, axes)), axes) if axes else network(tiles)
        prediction = prediction.float()
        total = prediction if total is None else total + prediction
    count = len(networks) * len(mirrored)
    return total if count == 1 else total / count
