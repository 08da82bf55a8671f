"""Cropping to the non-zero box and normalising intensities, as nnU-Net's preprocessing does before the network."""

from __future__ import annotations

from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.models.model_folder import ModelFolder

Box = tuple[slice, slice, slice]


def nonzero_box(image: np.ndarray) -> Box:
    """The smallest box around all voxels that are not 0; the whole image where there is none.

    nnU-Net fills holes in the mask before it takes the box, which does not change the box.
    """
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(_any_nonzero(image, axis, others))
        if occupied.size == 0:
            return tuple(slice(0, size) for size in image.shape)
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(box)


def _any_nonzero(image: np.ndarray, axis: int, others: tuple[int, ...]) -> np.ndarray:
    """For each index along ``axis`` whether its plane has a non-zero voxel, a slab at a time along the first axis."""
    if axis == 0:
        return np.array([plane.any() for plane in image])
    found = np.zeros(image.shape[axis], dtype=bool)
    for plane in image:
        found |= (plane != 0).any(axis=others[1] - 1)
        if found.all():
            break
    return found


def is_pointwise(folder: ModelFolder) -> bool:
    """Whether a voxel's normalised value depends on nothing but that voxel, so that tiles can be normalised singly."""
    return folder.settings["normalization_schemes"][0] == "CTNormalization"


def normalise(image: np.ndarray, folder: ModelFolder) -> np.ndarray:
    """The cropped image as the network wants it: a new float32 array of the same shape.

    CT: clipped to the plans' percentiles, minus mean, over standard deviation; other schemes as nnU-Net has them.
    Raises SegmentationError("MODEL_DAMAGED") where the plans lack the numbers.
    """
    scheme = folder.settings["normalization_schemes"][0]
    if scheme == "CTNormalization":
        return _normalise_ct(image, folder)
    from nnunetv2.preprocessing.normalization import default_normalization_schemes as schemes

    use_mask = bool(folder.settings["use_mask_for_norm"][0])
    outside = _outside_mask(image) if use_mask else None
    normaliser = getattr(schemes, scheme)(use_mask_for_norm=use_mask, intensityproperties=_intensities(folder))
    return normaliser.run(image.astype(np.float32), outside)


def _normalise_ct(image: np.ndarray, folder: ModelFolder) -> np.ndarray:
    properties = _intensities(folder)
    try:
        low, high = float(properties["percentile_00_5"]), float(properties["percentile_99_5"])
        mean, deviation = float(properties["mean"]), float(properties["std"])
    except (KeyError, TypeError, ValueError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="plans.json does not contain the CT intensities") from error
    normalised = image.astype(np.float32)  # always a copy
    np.clip(normalised, low, high, out=normalised)
    normalised -= np.float32(mean)
    normalised /= np.float32(max(deviation, 1e-8))
    return normalised


def _outside_mask(image: np.ndarray) -> np.ndarray:
    """-1 outside the non-zero region with its holes filled, 0 inside: what nnU-Net's schemes take as a mask."""
    from scipy.ndimage import binary_fill_holes

    return np.where(binary_fill_holes(image != 0), np.int8(0), np.int8(-1))


def _intensities(folder: ModelFolder) -> dict[str, Any]:
    plans = folder.plans
    key = "foreground_intensity_properties_per_channel"
    channels = plans.get(key) or plans.get("foreground_intensity_properties_by_modality") or {}
    return channels.get("0") or {}
