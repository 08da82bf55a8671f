"""The work that a job does beside its networks' tiles: a name for each kind, and how many units of it there are.

A job measures what a unit takes (pipeline/measurements.py) under that name in the machine's profile, and a plan adds up
what the units will take (planner.py). Both count the work by the functions here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.catalogue import Profile
from TotalSegmentatorWire.tables.published_rules import PublishedStep

from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import shape_of

# "usual" numbers are those of two cores of an AMD EPYC with AVX-512, otherwise idle: the benchmark "time-left" runs the
# jobs that they were read from

_USUAL_PACE = 6e-12
"""Seconds of a floating point operation."""
_OPERATIONS_TO_BE_READY = 1e11
"""So many take about as long as a network needs to be made ready for a trial."""
_OPERATIONS_OF_A_TILE = 7e11
"""Of a network of published shape at 3 mm; for plans that do not tell."""
READ_AHEAD_SHARE = 0.4
"""Of the loading of a network, what is left to do when the one before it has run: its weights have been read meanwhile.
0.1 (stored ready to run) to 0.5."""


@dataclass(frozen=True)
class Work:
    """Some work of one kind."""

    name: str
    """Of its rate in the machine's profile."""
    units: float
    """Voxels; of loading bytes, of a comparison of runtimes operations."""
    usual: float
    """Seconds a unit on two cores, as counts before the computer has measured it."""


def network_rate(runtime: str, precision: str, device: str) -> str:
    """Operations (network_work.py) of whatever networks have run so."""
    return f"operations, {runtime}, {precision}, {device}"


def trial_rate(runtime: str, precision: str, device: str) -> str:
    """Operations of a short trial (inference/pace_trial.py): what counts before any network has run so."""
    return f"operations of a trial, {runtime}, {precision}, {device}"


def loading_work(stored_bytes: int, runtime: str, precision: str, device: str) -> Work:
    """A network made ready to run, of weight files of so many bytes: for those that never ran here. Most of the time of
    a small one does not depend on its size: 0.35 s for 13 MB, 1.2 s for 125 MB."""
    return Work(f"loading, {runtime}, {precision}, {device}", stored_bytes + 64e6, 6e-9)


def comparing_work(operations: float | None, pace: float | None, precision: str, device: str) -> Work:
    """The runtimes of this machine compared with one kind of network, by parts of tiles. ``operations``: of a tile;
    ``pace``: seconds of one operation. 0.6 s for the lightest and 4.4 s for a network of published shape at 3 mm: about
    as long as a tile, and half a second to make the network ready."""
    units = (_OPERATIONS_OF_A_TILE if operations is None else operations) + _OPERATIONS_TO_BE_READY
    return Work(f"runtimes compared, {precision}, {device}", units, _USUAL_PACE if pace is None else pace)


def usual_labelling(is_resampled: bool, labels: int) -> float:
    """Seconds a voxel, as counts before the computer has measured it. ``is_resampled``: of interpolated logits, of
    which most voxels need few (16 million voxels of 105 labels of a real CT: 0.95e-9 s a label); of others all are
    looked at (1.1e-9 s for 3, 1.6e-9 s for 19 to 27, 1.5e-9 s for 118 labels)."""
    return 3e-8 + 0.7e-9 * labels if is_resampled else 1.5e-9 * labels


def label_rate(folder: ModelFolder, device: str, is_resampled: bool) -> str:
    """Labels of one network, of all its logits; per voxel labelled. ``is_resampled``: of the logits on another grid,
    which takes many times longer."""
    return f"labels{' resampled' if is_resampled else ''}, {len(folder.labels) + 1}, {device}"


def resampling_work(grid: NetworkGrid, profile: Profile, region: Region) -> Work:
    """A ``region`` of the networks' grid made of the CT: each voxel of the CT is read, and each of the grid written,
    so that coarse and fine CTs have one rate. 0.25 s for 512 x 512 x 300 voxels of 0.8 x 0.8 x 1.5 mm at 3 mm."""
    made = math.prod(shape_of(region))
    read = made / math.prod(grid.shape) * math.prod(grid.full_shape)
    return Work(f"resampling both ways, order {profile.resampling_order}, {grid.spacing[0]:g} mm", read + made, 5e-9)


def plans_resampling_work(folder: ModelFolder, image_shape: Sequence[int], network_shape: Sequence[int]) -> Work:
    """What nnU-Net's plans make of an image of the CT's own voxels: normalised by their scheme, and resampled."""
    scheme, has_mask = folder.settings["normalization_schemes"][0], bool(folder.settings["use_mask_for_norm"][0])
    name = f"by the plans, {scheme}{' of a mask' if has_mask else ''}, {folder.patch_size}"
    return Work(name, math.prod(image_shape) + math.prod(network_shape), 2.5e-8)


def islands_work(options: JobOptions, merged_voxels: int) -> Work:
    """Islands found and removed in so many voxels of merged labels, once for each option that does so."""
    return Work("islands", merged_voxels * (options.largest_piece + (options.smallest_island_mm3 > 0)), 3e-8)


def restoring_work(full_shape: Sequence[int], merged_voxels: int, is_smooth: bool) -> Work:
    """Merged labels brought to the CT's grid and counted. 0.03 to 0.2 s for 512 x 512 x 300 voxels."""
    if is_smooth:
        return Work("restoring, smooth", math.prod(full_shape), 7e-9)
    return Work("restoring both ways", math.prod(full_shape) + merged_voxels, 2e-9)


def published_work(steps: Sequence[PublishedStep], voxels: int) -> Work:
    """The published post-processing on one grid. 4 s for two steps on 10 million voxels."""
    return Work("published, " + " ".join(step.step for step in steps), voxels, 2e-7 * len(steps))


def checking_work(full_shape: Sequence[int]) -> Work:
    """The finished labels' orientation, digests and mean HU. 0.5 to 0.8 s for 512 x 512 x 300 voxels."""
    return Work("checking", math.prod(full_shape), 1e-8)


def reviewing_work(full_shape: Sequence[int]) -> Work:
    """The finished labels gone through by the rules of the review. 1.9 s for 53 structures of a real CT in 512 x 512 x
    200 voxels."""
    return Work("reviewing", math.prod(full_shape), 3.6e-8)
