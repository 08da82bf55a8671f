"""The voxel order in which a model's networks get a CT."""

from __future__ import annotations

from TotalSegmentatorWire.tables.catalogue import Profile
from TotalSegmentatorWire.tables.voxel_orders import AS_IN_FILE, CANONICAL

from TotalSegmentatorEngine.models.model_folder import ModelFolder


def network_voxel_order(profile: Profile, folder: ModelFolder) -> str:
    """The orientation that the networks get, or AS_IN_FILE for the CT's own order.

    What is stored with a model comes before its profile: it is what the network has learnt.
    """
    if folder.voxel_order not in (None, AS_IN_FILE):
        return folder.voxel_order
    return CANONICAL if profile.orientation == "canonical" else AS_IN_FILE


def depends_on_file(profile: Profile, folder: ModelFolder) -> bool:
    """Whether the networks get the CT's own order though nobody said that they were trained so."""
    return folder.voxel_order is None and network_voxel_order(profile, folder) == AS_IN_FILE
