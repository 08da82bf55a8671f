"""Estimates the memory that one network needs over one region: computed where possible, else as measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.messages.options import GRAPHICS_RUNTIME
from TotalSegmentatorWire.messages.plan import SUMS_IN_HALF, SUMS_ON_DISK, Plan
from TotalSegmentatorWire.tables.catalogue import Profile

from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import ModelFolder, architecture_key
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, resamples_by_plans
from TotalSegmentatorEngine.preprocessing.regions import shape_of
from TotalSegmentatorEngine.preprocessing.resampling import FINISHED_ROWS_AT_ONCE

if TYPE_CHECKING:
    from TotalSegmentatorEngine.plan.memory_strategies import Strategy

_ACTIVATION_COPIES = {"openvino": 8, GRAPHICS_RUNTIME: 8, "eager": 13, "compiled": 10}
"""Tensors of the finest stage's size that are in memory at a tile's peak, before this machine has measured it: skip,
upsampled, their concatenation, a convolution's input and output in the library's own order, the normalised output.
PyTorch keeps what it has freed (machine/allocator.py). Measured with the published network of 1.5 mm: 12.8 in
PyTorch. An integrated graphics processor takes its memory from the computer's; what it takes is not run, but assumed to
be OpenVINO's."""
_WEIGHT_COPIES = {"openvino": 2.5, GRAPHICS_RUNTIME: 3.5, "eager": 1.0, "compiled": 1.2}
"""Likewise of the weights. Beside a graphics processor PyTorch's are kept, for the processor to go on with."""
_LIBRARY_BYTES = 150 * 1024**2
"""Code and buffers that come with the first network, before they were measured."""
_RESAMPLING_BYTES = 64 * 1024**2
"""Slabs of the CT while they are resampled to the network's grid."""


@dataclass(frozen=True)
class PassMemory:
    """Bytes of one pass, beyond what the process has before it."""

    folder: str
    """Resolved path of the model folder."""
    image: int
    """The resampled image."""
    resampling: int
    """While it is made."""
    stored: int
    """Weights as they are read from disk."""
    weights: int
    """The network, ready to run."""
    running: int
    """Activations, sums and labels."""


def loaded_key(folder: ModelFolder, runtime: str, precision: str, device: str) -> str:
    """Names, in a machine's profile, the bytes and the seconds that make a network ready to run."""
    return "|".join(("loaded", architecture_key(folder), runtime, precision, device))


def pass_memory(
    folder: ModelFolder,
    shape: tuple[int, int, int],
    profile: Profile,
    grid: NetworkGrid,
    region: Region,
    resampled: Region,
    strategy: Strategy,
    machine: MachineProfile,
    is_smooth: bool = False,
) -> PassMemory:
    """The memory of one pass. ``shape`` is the ``region`` as the network gets it, in its own axes. ``resampled``, which
    encloses the regions of all parts, is in memory while each of them runs."""
    voxels = math.prod(shape_of(region))
    image = 2 * math.prod(shape_of(resampled)) if grid.is_resampled else 0
    finishing = 0
    if resamples_by_plans(profile, folder) and math.prod(shape) != voxels:
        image += 4 * (math.prod(shape) + voxels)
        finishing = _finishing_bytes(folder, profile, shape_of(region))
    elif is_smooth:
        finishing = _finishing_bytes(folder, profile, grid.full_shape)
    return PassMemory(
        folder=str(folder.path.resolve()),
        image=image,
        resampling=_RESAMPLING_BYTES,
        stored=stored_bytes(folder),
        weights=_weight_bytes(folder, strategy, machine),
        running=_activation_bytes(folder, strategy, machine)
        + sums_bytes(folder, shape, profile, strategy)
        + 3 * voxels
        + finishing,
    )


def sums_bytes(folder: ModelFolder, shape: tuple[int, int, int], profile: Profile, strategy: Strategy | Plan) -> int:
    """The ring of sums and weights, and the Gaussian, in the computer's memory (inference/sliding_window.py)."""
    padded = [max(size, patch) for size, patch in zip(shape, folder.patch_size, strict=True)]
    row = padded[1] * padded[2]
    ring = folder.patch_size[0] * row
    gaussian = 4 * math.prod(folder.patch_size)
    if strategy.sums == SUMS_ON_DISK:
        return 4 * ring + gaussian
    if not strategy.device.startswith("cpu") and not strategy.sums_on_host:
        return 0
    each = 2 if strategy.sums == SUMS_IN_HALF else 4
    return (each * summed_channels(folder, profile) + 4) * ring + gaussian


def _finishing_bytes(folder: ModelFolder, profile: Profile, wanted: tuple[int, int, int]) -> int:
    """Rows while they are resampled to the grid ``wanted``, as argmax.ResampledLabelSink keeps them: all features of
    which a head makes the labels, or the largest logit and the next one."""
    channels = summed_channels(folder, profile)
    if channels == len(folder.labels) + 1:
        channels = 2
    return 4 * FINISHED_ROWS_AT_ONCE * wanted[1] * wanted[2] * (channels + 1)


def summed_channels(folder: ModelFolder, profile: Profile) -> int:
    """Values summed in each voxel: a head's features if these are fewer than the labels (inference/tile_runner.py)."""
    outputs = len(folder.labels) + 1
    if profile.average != "logits" or len(folder.checkpoints) != 1:
        return outputs
    return min(outputs, finest_features(folder.settings))


def finest_features(settings: dict[str, Any]) -> int:
    """Feature maps of the first stage, in plans of the old and the new format."""
    if "architecture" not in settings:
        return int(settings["UNet_base_num_features"])
    features = settings["architecture"]["arch_kwargs"]["features_per_stage"]
    return int(features if isinstance(features, int) else features[0])


def _activation_bytes(folder: ModelFolder, strategy: Strategy, machine: MachineProfile) -> int:
    each = 2 if strategy.precision == "reduced" else 4
    copies = _ACTIVATION_COPIES[strategy.runtime]
    expected = each * math.prod(folder.patch_size) * copies * finest_features(folder.settings)
    expected = _LIBRARY_BYTES if strategy.is_on_gpu else expected
    measured = machine.network(architecture_key(folder), strategy.runtime, strategy.precision, strategy.device)
    if measured is None or measured.activation_bytes is None or strategy.runtime == GRAPHICS_RUNTIME:
        return expected  # what a graphics processor takes is no part of the process, and not measured
    return _plausible(measured.activation_bytes, expected)


def _weight_bytes(folder: ModelFolder, strategy: Strategy, machine: MachineProfile) -> int:
    measured = machine.bytes_of(loaded_key(folder, strategy.runtime, strategy.precision, strategy.device))
    expected = int(_WEIGHT_COPIES[strategy.runtime] * stored_bytes(folder)) + _LIBRARY_BYTES
    if measured is None or strategy.runtime == GRAPHICS_RUNTIME:
        return expected
    return _plausible(measured, expected)


def stored_bytes(folder: ModelFolder) -> int:
    """Bytes of the weight files. Checkpoints as nnU-Net writes them contain the optimiser's state, too, which is not
    kept."""
    return sum(path.stat().st_size for path in folder.checkpoints)


def _plausible(measured: int, expected: int) -> int:
    """A measurement may include what else the process did meanwhile; a far too large one would refuse every job."""
    return min(measured, 2 * expected + _LIBRARY_BYTES)
