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

USUAL_LABELLING = {True: 1e-9, False: 1e-9}
"""Seconds per voxel and label on two cores, as counts before the computer has measured it. True: of interpolated
logits, measured as 0.95e-9 and 1.1e-9 (16 million voxels of 105 labels, of a real CT; three times that where every
second voxel lies on a boundary); False: of others, 1.0e-9 (0.35 million of 118)."""


@dataclass(frozen=True)
class Work:
    """Some work of one kind."""

    name: str
    """Of its rate in the machine's profile."""
    units: float
    """Voxels."""
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
    a small one does not depend on its size: 0.6 to 1.3 s for 18 MB."""
    return Work(f"loading, {runtime}, {precision}, {device}", stored_bytes + 64e6, 1.5e-8)


def comparing_work(precision: str, device: str) -> Work:
    """The runtimes of this machine compared with one kind of network. 3 to 5 s, most of them to make it ready."""
    return Work(f"comparing runtimes, {precision}, {device}", 1, 4.0)


def label_rate(folder: ModelFolder, device: str, is_resampled: bool) -> str:
    """Labels of one network, of all its logits; per voxel labelled. ``is_resampled``: of the logits on another grid,
    which takes many times longer."""
    return f"labels{' resampled' if is_resampled else ''}, {len(folder.labels) + 1}, {device}"


def resampling_work(grid: NetworkGrid, profile: Profile, region: Region) -> Work:
    """A ``region`` of the networks' grid made of the CT: each voxel of the CT is read, and each of the grid written,
    so that coarse and fine CTs have one rate. 3 s for 512 x 512 x 300 voxels of 0.8 x 0.8 x 1.5 mm at 1.5 mm."""
    made = math.prod(shape_of(region))
    read = made / math.prod(grid.shape) * math.prod(grid.full_shape)
    return Work(f"resampling both ways, order {profile.resampling_order}, {grid.spacing[0]:g} mm", read + made, 3e-8)


def plans_resampling_work(folder: ModelFolder, image_shape: Sequence[int], network_shape: Sequence[int]) -> Work:
    """What nnU-Net's plans make of an image of the CT's own voxels: normalised by their scheme, and resampled."""
    scheme, has_mask = folder.settings["normalization_schemes"][0], bool(folder.settings["use_mask_for_norm"][0])
    name = f"by the plans, {scheme}{' of a mask' if has_mask else ''}, {folder.patch_size}"
    return Work(name, math.prod(image_shape) + math.prod(network_shape), 3e-8)


def islands_work(options: JobOptions, merged_voxels: int) -> Work:
    """Islands found and removed in so many voxels of merged labels, once for each option that does so."""
    return Work("islands", merged_voxels * (options.largest_piece + (options.smallest_island_mm3 > 0)), 4e-8)


def restoring_work(full_shape: Sequence[int], merged_voxels: int, is_smooth: bool) -> Work:
    """Merged labels brought to the CT's grid and counted. 1 s for 512 x 512 x 300 voxels."""
    if is_smooth:
        return Work("restoring, smooth", math.prod(full_shape), 1e-8)
    return Work("restoring both ways", math.prod(full_shape) + merged_voxels, 1e-8)


def published_work(steps: Sequence[PublishedStep], voxels: int) -> Work:
    """The published post-processing on one grid. 4 s for two steps on 10 million voxels."""
    return Work("published, " + " ".join(step.step for step in steps), voxels, 2e-7 * len(steps))


def checking_work(full_shape: Sequence[int]) -> Work:
    """The finished labels' orientation, digests and mean HU. 2 s for 512 x 512 x 300 voxels."""
    return Work("checking", math.prod(full_shape), 2e-8)


def reviewing_work(full_shape: Sequence[int]) -> Work:
    """The finished labels gone through by the rules of the review. 4 s for 512 x 512 x 300 voxels."""
    return Work("reviewing", math.prod(full_shape), 5e-8)
