"""Names of the rates in the machine's profile: what the steps of a job take, each in seconds per voxel.

A job measures each step by itself (pipeline/measurements.py), and a plan adds them up (planner.py).
"""

from __future__ import annotations

from TotalSegmentatorWire.tables.catalogue import Profile

from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid

USUAL_LABELLING = {True: 8e-9, False: 1e-9}
"""Seconds per voxel and label on two cores, as counts before the computer has measured it. True: of resampled logits,
35 s for 39 million voxels of 118 labels; False: of others, at most an eighth of that."""
USUAL_RESAMPLING, USUAL_RESTORING, USUAL_CHECKING, USUAL_REVIEWING = 4e-8, 1e-8, 2e-8, 5e-8
"""Likewise, per voxel of the CT: 3 s, 1 s, 2 s and 4 s for 512 x 512 x 300."""

RESTORING_RATE, SMOOTH_RATE = "restoring", "restoring, smooth"
"""Merged labels brought to the CT's grid and counted; per voxel of the CT."""
CHECKING_RATE = "checking"
"""The finished labels' orientation, digests and mean HU; per voxel of the CT."""
REVIEWING_RATE = "reviewing"
"""Per voxel of the CT."""


def label_rate(folder: ModelFolder, device: str, is_resampled: bool) -> str:
    """Labels of one network, of all its logits; per voxel labelled. ``is_resampled``: of the logits on another grid,
    which takes many times longer."""
    return f"labels{' resampled' if is_resampled else ''}, {len(folder.labels) + 1}, {device}"


def resampling_rate(grid: NetworkGrid, profile: Profile) -> str:
    """The CT on the networks' grid, per voxel of the CT; the number of voxels made of one differs with the spacing."""
    return f"resampling, order {profile.resampling_order}, {grid.spacing[0]:g} mm"


def plans_resampling_rate(folder: ModelFolder) -> str:
    """What nnU-Net's plans make of the CT, per voxel that the network gets; of the others there are few."""
    return f"resampling by the plans, {folder.patch_size}"
