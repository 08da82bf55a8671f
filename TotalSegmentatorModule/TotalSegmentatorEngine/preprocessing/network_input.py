"""From the CT to the image that a network gets, and from the network's labels back to that image.

The order of steps is the published one: orientation, resampling by the profile, then what nnU-Net does by itself:
axes transposed, cropped to the non-zero box, normalised, resampled by the plans.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.tables.catalogue import Profile
from TotalSegmentatorWire.tables.voxel_orders import AS_IN_FILE

from TotalSegmentatorEngine.imaging.geometry import Geometry, Reorientation, Volume, reorientation_to
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.models.network_voxel_order import network_voxel_order
from TotalSegmentatorEngine.preprocessing.linear_zoom import linear_zoom
from TotalSegmentatorEngine.preprocessing.normalisation import Box, is_pointwise, nonzero_box, normalise
from TotalSegmentatorEngine.preprocessing.plans_resampling import PlansResampling, image_resampling, logits_resampling
from TotalSegmentatorEngine.preprocessing.resampling import (
    apply_matrices,
    is_same_spacing,
    restricted,
    truncated_to_int,
    whole_number_type,
    zoom_matrices,
    zoomed_shape,
)

SPLIT_MARGIN = 20
"""Voxels that neighbouring pieces of a large image share with each side, as TotalSegmentator cuts."""
SPLIT_MINIMUM_SLICES = 200
"""Shorter images are never cut."""

SlabCallback = Callable[[float], None]
Region = tuple[slice, slice, slice]
"""Part of a grid, along its three axes."""


# -- the grid ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """The grid at which the networks of a model get one CT; the axes are those that the networks' image has."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    """mm along the axes."""
    full_shape: tuple[int, int, int]
    """Shape at the CT's own spacing, in the same axes."""
    full_spacing: tuple[float, float, float]
    reorientation: Reorientation | None
    """How the CT's own order (k, j, i) was changed; None where it was not."""

    @property
    def whole(self) -> Region:
        return tuple(slice(0, size) for size in self.shape)

    @property
    def is_resampled(self) -> bool:
        return self.spacing != self.full_spacing


def network_grid(geometry: Geometry, profile: Profile, folder: ModelFolder) -> NetworkGrid:
    """The grid that the profile makes of a CT for a model folder, known before anything is computed."""
    order = network_voxel_order(profile, folder)
    reorientation = None if order == AS_IN_FILE else reorientation_to(geometry, order)
    axes = (0, 1, 2) if reorientation is None else reorientation.axes
    full_shape = tuple(geometry.shape[axis] for axis in axes)
    full_spacing = tuple(geometry.spacing[2 - axis] for axis in axes)
    if profile.spacing == "plans" or is_same_spacing(full_spacing, folder.image_spacing):
        return NetworkGrid(full_shape, full_spacing, full_shape, full_spacing, reorientation)
    shape = zoomed_shape(full_shape, full_spacing, folder.image_spacing)
    return NetworkGrid(shape, folder.image_spacing, full_shape, full_spacing, reorientation)


# -- the image ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class OrientedImage:
    """A CT, or a region of it, in the voxel order and at the spacing at which the networks get it."""

    array: np.ndarray
    """(z, y, x): [S, A, R] in the canonical order, or as ``network_voxel_order`` says. Of an integer type, or the
    CT's own."""
    region: Region
    """Where the array lies on the network's grid."""
    spacing: tuple[float, float, float]
    """mm along the array's axes."""

    def crop(self, region: Region) -> OrientedImage:
        """A region of the grid that lies within this image; shares its memory."""
        box = tuple(
            slice(part.start - own.start, part.stop - own.start) for part, own in zip(region, self.region, strict=True)
        )
        return OrientedImage(self.array[box], region, self.spacing)


def image_key(profile: Profile, folder: ModelFolder) -> Hashable:
    """Names an oriented image of one CT: jobs with the same key share it."""
    spacing = folder.image_spacing if profile.spacing == "model" else None
    resampling = (profile.resampling_order, profile.truncate_to_int) if spacing else None
    return "image", network_voxel_order(profile, folder), spacing, resampling


def image_place(box: Region | None, profile: Profile, folder: ModelFolder) -> Hashable:
    """Names an oriented image of a ``box`` of one CT (k, j, i), or of all of it: steps with the same place share it."""
    of_ct = None if box is None else tuple((part.start, part.stop) for part in box)
    return of_ct, image_key(profile, folder)


def oriented_image(
    volume: Volume, grid: NetworkGrid, profile: Profile, region: Region, on_slab: SlabCallback
) -> OrientedImage:
    """The ``region`` of the CT, turned, and resampled where the profile does so.

    Where nothing is resampled the array is the CT's own memory. ``on_slab`` gets the done fraction; it may raise.
    """

    def listen() -> None:
        on_slab(0.0)

    array = volume.array if grid.reorientation is None else grid.reorientation.view(volume.array)
    if not grid.is_resampled:
        return OrientedImage(array[region], region, grid.spacing)
    if profile.resampling_order == 1:
        finish, dtype = (np.asarray, np.float32)
        if profile.truncate_to_int:
            finish, dtype = np.trunc, whole_number_type(array, listen=listen)
        return OrientedImage(linear_zoom(array, grid.shape, region, finish, dtype, on_slab), region, grid.spacing)
    matrices, box = restricted(zoom_matrices(grid.full_shape, grid.shape, profile.resampling_order), region)
    source, finish, dtype = array[box], None, np.float32
    if profile.truncate_to_int:
        finish, dtype = truncated_to_int, whole_number_type(source, matrices, listen)
    return OrientedImage(apply_matrices(source, matrices, on_slab, finish, dtype), region, grid.spacing)


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


# -- nnU-Net's own preprocessing ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class NetworkInput:
    """What a network is run on, read a tile at a time, and how its labels are restored to the image."""

    array: np.ndarray
    """In the network's axes; not yet normalised where ``folder`` is given."""
    box: Box
    """Where the array's grid lies in the transposed image."""
    transposed_shape: tuple[int, int, int]
    back: PlansResampling | None
    """From the network's grid to the box's; None where they are the same."""
    transpose_backward: tuple[int, int, int]
    folder: ModelFolder | None = None
    """Whose normalisation is applied to each tile as it is read, so that the CT keeps its own type until then."""

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.array.shape

    @property
    def own_bytes(self) -> int:
        """Memory beyond the image that this was made of."""
        return 0 if self.folder is not None else self.array.nbytes

    def read(self, slices: tuple[slice, slice, slice]) -> np.ndarray:
        """float32 voxels as the network wants them."""
        voxels = self.array[slices]
        return voxels if self.folder is None else normalise(voxels, self.folder)

    def restore(self, labels: np.ndarray) -> np.ndarray:
        """uint8 labels of the box, in the network's axes, as a whole image in the image's axes; 0 outside the box."""
        if labels.shape == self.transposed_shape:
            return labels.transpose(self.transpose_backward)
        restored = np.zeros(self.transposed_shape, dtype=np.uint8)
        restored[self.box] = labels
        return restored.transpose(self.transpose_backward)


def resamples_by_plans(profile: Profile, folder: ModelFolder) -> bool:
    """Whether nnU-Net's own resampling runs: as the only one, or where what the CT has been resampled to is not what
    the network was trained at. TotalSegmentator has both then, and so has this."""
    return profile.spacing == "plans" or folder.is_resampled_twice


def input_key(profile: Profile, folder: ModelFolder, piece: Piece) -> Hashable:
    """Names a network input of one CT; the folder's plans define the normalisation."""
    return (
        "input",
        image_key(profile, folder),
        str(folder.path),
        folder.configuration,
        piece.rows.start,
        piece.rows.stop,
    )


def tile_source(
    image: OrientedImage,
    rows: slice,
    profile: Profile,
    folder: ModelFolder,
    on_slab: SlabCallback = lambda fraction: None,
) -> NetworkInput:
    """The ``rows`` of the image (along its first axis) as the network wants them. ``on_slab`` as for
    ``oriented_image``."""
    transposed = image.array[rows].transpose(folder.transpose_forward)
    spacing = tuple(image.spacing[axis] for axis in folder.transpose_forward)

    def listen() -> None:
        on_slab(0.0)

    box = nonzero_box(transposed, listen)
    cropped = transposed[box]
    resampling = image_resampling(folder, cropped.shape, spacing) if resamples_by_plans(profile, folder) else None
    if is_pointwise(folder) and (resampling is None or resampling.is_identity):
        return NetworkInput(cropped, box, transposed.shape, None, folder.transpose_backward, folder)
    array, back = normalise(cropped, folder, listen), None
    if resampling is not None:
        array = resampling.apply(array, on_slab)
        of_logits = logits_resampling(folder, array.shape, cropped.shape, spacing)
        back = None if of_logits.is_identity else of_logits
    return NetworkInput(np.ascontiguousarray(array), box, transposed.shape, back, folder.transpose_backward)
