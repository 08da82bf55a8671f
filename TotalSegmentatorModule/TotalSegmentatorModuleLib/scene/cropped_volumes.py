"""Which volume of the scene a voxel-based crop (Slicer's Crop Volume) is a part of: contours belong on the whole CT.

A crop keeps the lattice of its volume, but is a node without a DICOM series of its own. Made by the Crop Volume module
it has the attributes of the volume it was cloned from; put into a node that was there before it has none, and its
voxels tell where it comes from.
"""

from __future__ import annotations

import numpy as np
import slicer

from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras, scalar_volumes, series_instance_uid

INSTANCE_UIDS = "DICOM.instanceUIDs"
"""Attribute with the SOP Instance UIDs of the slices, separated by spaces."""

_ALIGNED_VOXELS = 0.02
"""Largest distance of a corner from a voxel of the other volume, as the engine has it."""
_COMPARED_SLICES = 16
"""So many slices, of all that both volumes have, are compared: a few milliseconds on the main thread."""


def whole_volume(part):
    """The volume from DICOM (vtkMRMLScalarVolumeNode) on whose lattice ``part`` lies and from which it was cropped;
    None where ``part`` was loaded from DICOM itself, or no single series of the scene fits."""
    if part.GetImageData() is None or series_instance_uid(part):
        return None
    uids = part.GetAttribute(INSTANCE_UIDS)
    fitting = {}
    for volume in scalar_volumes():
        uid = series_instance_uid(volume)
        if volume is part or not uid or not volume.GetAttribute(INSTANCE_UIDS):
            continue
        start = _start_in(volume, part)
        if start is None:
            continue
        same = volume.GetAttribute(INSTANCE_UIDS) == uids if uids else _has_same_voxels(volume, part, start)
        if same:
            fitting.setdefault(uid, volume)
    return next(iter(fitting.values())) if len(fitting) == 1 else None


def _start_in(volume, part) -> np.ndarray | None:
    """i, j, k of ``volume`` for the first voxel of ``part``; None unless both have one lattice, under one transform,
    and voxels in common."""
    if part.GetParentTransformNode() is not volume.GetParentTransformNode() or volume.GetImageData() is None:
        return None
    to_volume = np.linalg.inv(ijk_to_ras(volume)) @ ijk_to_ras(part)
    size, whole = (np.array(node.GetImageData().GetDimensions()) for node in (part, volume))
    start = np.round(to_volume[:3, 3])
    apart = np.abs(to_volume[:3, :3] - np.eye(3)) @ (size - 1) + np.abs(to_volume[:3, 3] - start)
    is_inside = (start < whole).all() and (start + size > 0).all()
    return start.astype(int) if is_inside and apart.max() <= _ALIGNED_VOXELS else None


def _has_same_voxels(volume, part, start: np.ndarray) -> bool:
    """Whether they agree where both are; a crop can reach beyond its volume, where it is filled."""
    arrays = [slicer.util.arrayFromVolume(node) for node in (volume, part)]
    if any(array.ndim != 3 for array in arrays):
        return False
    whole, cropped = arrays
    first = start[::-1]
    low = np.maximum(first, 0)
    high = np.minimum(first + cropped.shape, whole.shape)
    of_whole = whole[tuple(map(slice, low, high))]
    of_crop = cropped[tuple(map(slice, low - first, high - first))]
    chosen = np.unique(np.linspace(0, len(of_whole) - 1, _COMPARED_SLICES).round().astype(int))
    return all(np.array_equal(of_whole[k], of_crop[k]) for k in chosen)
