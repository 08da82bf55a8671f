"""From the CT to the image that a network sees, and from the network's labels back to the CT's grid.

The order of steps is the published one: orientation, resampling by the profile, then what nnU-Net does by itself:
axes transposed, cropped to the non-zero box, normalised, resampled by the plans.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.catalogue import Profile

from .geometry import Reorientation, Volume, canonical_reorientation
from .model_folder import ModelFolder
from .normalisation import Box, nonzero_box, normalise
from .plans_resampling import PlansResampling, image_resampling, logits_resampling
from .resampling import is_same_spacing, truncated_to_int, zoom, zoom_labels, zoomed_shape

SPLIT_MARGIN = 20
"""Voxels that neighbouring pieces of a large image share with each side, as TotalSegmentator cuts."""
SPLIT_MINIMUM_SLICES = 200
"""Shorter images are never cut."""

SlabCallback = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class OrientedImage:
    """A CT in the voxel order and at the spacing at which the networks get it."""

    array: np.ndarray
    """(z, y, x): canonical [S, A, R], or the CT's own order where the profile says so."""
    spacing: tuple[float, float, float]
    """mm along the array's axes."""
    full_shape: tuple[int, int, int]
    """Shape at the CT's own spacing, in the same axes."""
    reorientation: Reorientation | None
    """How the CT's own order was changed."""

    def restore(self, labels: np.ndarray) -> np.ndarray:
        """Labels on this image's grid brought back to the CT's grid (k, j, i) by the nearest voxel."""
        restored = zoom_labels(labels, self.full_shape)
        return restored if self.reorientation is None else self.reorientation.undo(restored)


def orientation_of(profile: Profile, folder: ModelFolder) -> bool:
    """Whether the networks see the canonical order [S, A, R]."""
    return profile.orientation == "canonical" or folder.reads_canonical


def expected_shapes(volume: Volume, profile: Profile, folder: ModelFolder) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shapes of the CT as the networks see it, at its own spacing and at the model's, before anything is computed."""
    axes = (0, 1, 2)
    if orientation_of(profile, folder):
        axes = canonical_reorientation(volume.geometry).axes
    shape = tuple(volume.array.shape[axis] for axis in axes)
    spacing = tuple(volume.geometry.spacing[2 - axis] for axis in axes)
    return shape, zoomed_shape(shape, spacing, folder.image_spacing)


def image_key(profile: Profile, folder: ModelFolder) -> Hashable:
    """Names an oriented image of one CT: jobs with the same key share it."""
    spacing = folder.image_spacing if profile.spacing == "model" else None
    resampling = (profile.resampling_order, profile.truncate_to_int) if spacing else None
    return "image", orientation_of(profile, folder), spacing, resampling


def oriented_image(volume: Volume, profile: Profile, folder: ModelFolder, on_slab: SlabCallback) -> OrientedImage:
    """The CT turned, and resampled where the profile does so. ``on_slab`` is told the done fraction; it may raise."""
    reorientation = canonical_reorientation(volume.geometry) if orientation_of(profile, folder) else None
    if reorientation is not None:
        volume = reorientation.apply(volume)
    array, spacing = volume.array, tuple(reversed(volume.geometry.spacing))
    if profile.spacing == "plans" or is_same_spacing(spacing, folder.image_spacing):
        return OrientedImage(array, spacing, array.shape, reorientation)
    shape = zoomed_shape(array.shape, spacing, folder.image_spacing)
    resampled = zoom(array, shape, profile.resampling_order, on_slab)
    if profile.truncate_to_int:
        resampled = truncated_to_int(resampled)
    return OrientedImage(resampled, folder.image_spacing, array.shape, reorientation)


# -- pieces of large images --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """Rows (along the first axis) that are predicted together, and those of them that count."""

    rows: slice
    kept: slice


def pieces_of(shape: tuple[int, int, int], profile: Profile, part_count: int) -> list[Piece]:
    """One piece, or three along z for a large image of a model with several parts, as TotalSegmentator cuts it."""
    rows = shape[0]
    limit = profile.split_above_voxels
    is_large = limit is not None and shape[0] * shape[1] * shape[2] > limit
    if not is_large or rows <= SPLIT_MINIMUM_SLICES or part_count == 1:
        return [Piece(slice(0, rows), slice(0, rows))]
    third = rows // 3
    return [
        Piece(slice(0, third + SPLIT_MARGIN), slice(0, third)),
        Piece(slice(third + 1 - SPLIT_MARGIN, 2 * third + SPLIT_MARGIN), slice(third, 2 * third)),
        Piece(slice(2 * third + 1 - SPLIT_MARGIN, rows), slice(2 * third, rows)),
    ]


# -- nnU-Net's own preparation -----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What a network is run on, and the way back."""

    array: np.ndarray
    """float32, in the network's axes."""
    box: Box
    """Where the array's grid lies in the transposed image."""
    transposed_shape: tuple[int, int, int]
    back: PlansResampling | None
    """From the network's grid to the box's; None where they are the same."""
    transpose_backward: tuple[int, int, int]

    def restore(self, labels: np.ndarray) -> np.ndarray:
        """uint8 labels of the box, in the network's axes, as a whole image in the image's axes; 0 outside the box."""
        restored = np.zeros(self.transposed_shape, dtype=np.uint8)
        restored[self.box] = labels
        return restored.transpose(self.transpose_backward)


def input_key(profile: Profile, folder: ModelFolder, piece: Piece) -> Hashable:
    """Names a network input of one CT; the folder's normalisation stands in its plans."""
    return (
        "input",
        image_key(profile, folder),
        str(folder.path),
        folder.configuration,
        piece.rows.start,
        piece.rows.stop,
    )


def network_input(image: OrientedImage, piece: Piece, profile: Profile, folder: ModelFolder) -> NetworkInput:
    """The piece of the image as the network wants it."""
    transposed = image.array[piece.rows].transpose(folder.transpose_forward)
    spacing = tuple(image.spacing[axis] for axis in folder.transpose_forward)
    box = nonzero_box(transposed)
    array = normalise(transposed[box], folder)
    cropped_shape = array.shape
    back = None
    if profile.spacing == "plans":
        array = image_resampling(folder, array.shape, spacing).apply(array)
        way_back = logits_resampling(folder, array.shape, cropped_shape, spacing)
        back = None if way_back.is_identity else way_back
    return NetworkInput(np.ascontiguousarray(array), box, transposed.shape, back, folder.transpose_backward)
