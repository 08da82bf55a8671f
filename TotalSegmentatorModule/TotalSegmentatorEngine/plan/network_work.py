"""How much a network computes for one tile, from its plans alone: for the time of networks that never ran here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorEngine.models.mirroring import allowed_mirroring
from TotalSegmentatorEngine.models.model_folder import ModelFolder

_MIRROR_IMAGES = 8
"""Of a tile, where the trainer mirrors along all three axes, as nnU-Net's default trainer does, and the weight file
does not say what it allows."""


def tile_operations(folder: ModelFolder, mirror_images: int | None = None) -> float | None:
    """Floating point operations of the convolutions for one tile, over all folds and mirror images; None where the
    plans do not say what they are. ``mirror_images``: of a tile, where the weights have been read.

    A convolution of ``a`` to ``b`` channels with ``k`` voxels in its kernel takes 2 k a b operations (a multiplication
    and an addition) for each voxel of its output, a transposed one, whose kernel is as large as its stride, 2 a b. The
    layers are those of PlainConvUNet and ResidualEncoderUNet in dynamic_network_architectures, which nnU-Net builds of
    its plans; norms and non-linearities are not counted.
    """
    try:
        network = _layout(folder.settings)
    except (KeyError, TypeError, ValueError):
        return None
    operations = sum(_encoder(network, folder.patch_size)) + sum(_decoder(network, folder.patch_size))
    operations += 2.0 * math.prod(folder.patch_size) * network.features[0] * (len(folder.labels) + 1)
    return operations * (mirror_images or _expected_images(folder)) * len(folder.checkpoints)


def _expected_images(folder: ModelFolder) -> int:
    """As nnU-Net, by what the first fold allows."""
    allowed = allowed_mirroring(folder.checkpoints[0]) if folder.mirrors and folder.checkpoints else ()
    if allowed is not None:
        return 2 ** len(allowed)
    trainer = folder.path.name.split("__")[0].lower().replace("_", "")
    return 1 if "nomirror" in trainer else _MIRROR_IMAGES


@dataclass(frozen=True)
class _Layout:
    """Of the stages of a U-Net, the finest first."""

    features: list[int]
    kernels: list[Sequence[int]]
    strides: list[Sequence[int]]
    convolutions: list[int]
    """Of each stage of the encoder; of a residual one, its blocks."""
    decoding: list[int]
    """Of each stage of the decoder, the coarsest first."""
    is_residual: bool


def _layout(settings: dict[str, Any]) -> _Layout:
    """From plans of the new and of the old format."""
    if "architecture" in settings:
        arguments = settings["architecture"]["arch_kwargs"]
        stages, is_residual = arguments["n_stages"], "Residual" in settings["architecture"]["network_class_name"]
        features = _each(arguments["features_per_stage"], stages)
        kernels, strides = arguments["kernel_sizes"], arguments["strides"]
        encoding = arguments["n_blocks_per_stage" if is_residual else "n_conv_per_stage"]
        decoding = arguments["n_conv_per_stage_decoder"]
    else:
        kernels, strides = settings["conv_kernel_sizes"], settings["pool_op_kernel_sizes"]
        stages, is_residual = len(strides), "Residual" in settings["UNet_class_name"]
        base, most = settings["UNet_base_num_features"], settings["unet_max_num_features"]
        features = [min(base * 2**stage, most) for stage in range(stages)]
        encoding, decoding = settings["n_conv_per_stage_encoder"], settings["n_conv_per_stage_decoder"]
    return _Layout(
        features=features,
        kernels=[_triple(each) for each in _each(kernels, stages)],
        strides=[_triple(each) for each in _each(strides, stages)],
        convolutions=_each(encoding, stages),
        decoding=_each(decoding, stages - 1),
        is_residual=is_residual,
    )


def _each(value: Any, count: int) -> list[Any]:
    """One for each stage: plans may give one for all."""
    return list(value) if isinstance(value, (list, tuple)) else [value] * count


def _triple(size: int | Sequence[int]) -> Sequence[int]:
    return size if isinstance(size, (list, tuple)) else (size,) * 3


def _voxels(network: _Layout, patch: Sequence[int]) -> list[int]:
    """Of each stage."""
    counts, size = [], list(patch)
    for strides in network.strides:
        size = [math.ceil(length / stride) for length, stride in zip(size, strides, strict=True)]
        counts.append(math.prod(size))
    return counts


def _encoder(network: _Layout, patch: Sequence[int]) -> Iterator[float]:
    before = 1
    voxels = _voxels(network, patch)
    if network.is_residual:  # the stem
        before = network.features[0]
        yield 2.0 * voxels[0] * math.prod(network.kernels[0]) * before
    for stage, (count, features) in enumerate(zip(network.convolutions, network.features, strict=True)):
        kernel = math.prod(network.kernels[stage])
        for _ in range(count):
            yield 2.0 * voxels[stage] * kernel * before * features
            if network.is_residual:  # a block has two, and one of a voxel past them where the channels change
                yield 2.0 * voxels[stage] * features * (kernel * features + (before if before != features else 0))
            before = features


def _decoder(network: _Layout, patch: Sequence[int]) -> Iterator[float]:
    voxels = _voxels(network, patch)
    for count, stage in zip(network.decoding, reversed(range(len(network.features) - 1)), strict=True):
        features, kernel = network.features[stage], math.prod(network.kernels[stage])
        yield 2.0 * voxels[stage] * network.features[stage + 1] * features  # upsampled
        before = 2 * features  # beside what the encoder gave
        for _ in range(count):
            yield 2.0 * voxels[stage] * kernel * before * features
            before = features
