"""Cropping to the non-zero box and normalising intensities, as nnU-Net's preprocessing does before the network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.connected_pieces import connected_pieces
from TotalSegmentatorEngine.job.listening import listening
from TotalSegmentatorEngine.models.model_folder import ModelFolder

Box = tuple[slice, slice, slice]
Listener = Callable[[], None]
"""Called again and again; may raise to stop."""

_PLANES_AT_ONCE = 16


def _nothing() -> None:
    pass


def nonzero_box(image: np.ndarray, listen: Listener = _nothing) -> Box:
    """The smallest box around all voxels that are not 0; the whole image where there is none.

    nnU-Net fills holes in the mask before it takes the box, which does not change the box.
    """
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(_any_nonzero(image, axis, others, listen))
        if occupied.size == 0:
            return tuple(slice(0, size) for size in image.shape)
        box.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return tuple(box)


def _any_nonzero(image: np.ndarray, axis: int, others: tuple[int, ...], listen: Listener) -> np.ndarray:
    """For each index along ``axis`` whether its plane has a non-zero voxel, a plane at a time along the first axis."""
    found = np.zeros(image.shape[axis], dtype=bool)
    for index, plane in enumerate(image):
        listen()
        if axis == 0:
            found[index] = plane.any()
            continue
        found |= (plane != 0).any(axis=others[1] - 1)
        if found.all():
            break
    return found


def is_pointwise(folder: ModelFolder) -> bool:
    """Whether a voxel's normalised value depends on nothing but that voxel, so that tiles can be normalised singly."""
    return folder.settings["normalization_schemes"][0] == "CTNormalization"


def normalise(image: np.ndarray, folder: ModelFolder, listen: Listener = _nothing) -> np.ndarray:
    """The cropped image as the network wants it: a new C-contiguous float32 array of the same shape.

    CT: clipped to the plans' percentiles, minus mean, over standard deviation; other schemes as nnU-Net has them.
    Raises SegmentationError("MODEL_DAMAGED") where the plans lack the numbers.
    """
    scheme = folder.settings["normalization_schemes"][0]
    if scheme == "CTNormalization":
        return _normalise_ct(image, folder, listen)
    from nnunetv2.preprocessing.normalization import default_normalization_schemes as schemes

    use_mask = bool(folder.settings["use_mask_for_norm"][0])
    outside = _outside_mask(image, listen) if use_mask else None
    normaliser = getattr(schemes, scheme)(use_mask_for_norm=use_mask, intensityproperties=_intensities(folder))
    return listening(lambda: normaliser.run(image.astype(np.float32, order="C"), outside), listen)


def _normalise_ct(image: np.ndarray, folder: ModelFolder, listen: Listener) -> np.ndarray:
    properties = _intensities(folder)
    try:
        low, high = float(properties["percentile_00_5"]), float(properties["percentile_99_5"])
        mean, deviation = float(properties["mean"]), float(properties["std"])
    except (KeyError, TypeError, ValueError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="plans.json does not contain the CT intensities") from error
    normalised = np.empty(image.shape, dtype=np.float32)
    for first in range(0, len(image), _PLANES_AT_ONCE):
        listen()
        slab = normalised[first : first + _PLANES_AT_ONCE]
        slab[...] = image[first : first + _PLANES_AT_ONCE]
        np.clip(slab, low, high, out=slab)
        slab -= np.float32(mean)
        slab /= np.float32(max(deviation, 1e-8))
    return normalised


def _outside_mask(image: np.ndarray, listen: Listener) -> np.ndarray:
    """-1 outside the non-zero region with its holes filled, 0 inside: what nnU-Net's schemes take as a mask.

    Outside is what is 0 and hangs together, by faces, with a border of the image.
    """
    zeros = np.empty(image.shape, dtype=np.uint8)
    for plane, is_zero in zip(image, zeros, strict=True):
        listen()
        np.equal(plane, 0, out=is_zero.view(bool))
    pieces, count = connected_pieces(zeros, lambda _share: listen())
    value = np.zeros(count + 1, dtype=np.int8)
    for axis in range(3):
        for side in (0, -1):
            value[np.unique(pieces.take(side, axis=axis))] = -1
    value[0] = 0
    mask = zeros.view(np.int8)  # a plane of zeros is not needed once its mask is made
    for plane, numbers in zip(mask, pieces, strict=True):
        listen()
        plane[...] = value[numbers]
    return mask


def _intensities(folder: ModelFolder) -> dict[str, Any]:
    plans = folder.plans
    key = "foreground_intensity_properties_per_channel"
    channels = plans.get(key) or plans.get("foreground_intensity_properties_by_modality") or {}
    return channels.get("0") or {}
