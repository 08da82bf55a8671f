"""Brings a segmentation and the CT series together: is it that CT, and which of its slices is which plane?"""

from __future__ import annotations

import dataclasses

import numpy as np
from TotalSegmentatorEngine.geometry import Geometry
from TotalSegmentatorEngine.voxel_digest import is_same, voxel_digest
from TotalSegmentatorWire.errors import SegmentationError
from TotalSegmentatorWire.result_tags import CT_SERIES_TAG, series_digest
from TotalSegmentatorWire.review_state import VOXEL_DIGEST_TAG

from .placement import ALIGNED_VOXELS, PlacedSegmentation
from .reference_series import ReferenceSeries
from .segments import Layer, Segmentation


def check_series(segmentation: Segmentation, reference: ReferenceSeries) -> None:
    """Raises SegmentationError("EXPORT_OTHER_CT") where a segment says that it was made on another series."""
    here = series_digest(reference.series_instance_uid)
    if any(segment.tags.get(CT_SERIES_TAG, here) != here for segment in segmentation.segments):
        raise SegmentationError("EXPORT_OTHER_CT")


def on_planes(segmentation: Segmentation, reference: ReferenceSeries, nominal: Geometry | None) -> Segmentation:
    """The layers moved onto ``reference.grid``, slice by slice, where the series' steps are irregular.

    An image of an irregular series has equal steps, in Slicer (which adds a transform that displays it where it is)
    and in files; so its slice number k belongs to the series' plane k, wherever its header puts it. ``nominal`` is the
    grid of that image; None stands for the layers' own grid.

    Raises SegmentationError("EXPORT_GEOMETRY_DIFFERS") where that image does not have the planes of the series.
    """
    if reference.is_regular or not segmentation.layers:
        return segmentation
    image = nominal or segmentation.layers[0].geometry
    to_planes = reference.grid.ijk_to_ras @ _plane_indices(image, reference.grid) @ np.linalg.inv(image.ijk_to_ras)
    layers = tuple(
        Layer(layer.array, Geometry(layer.geometry.shape, to_planes @ layer.geometry.ijk_to_ras))
        for layer in segmentation.layers
    )
    return dataclasses.replace(segmentation, layers=layers)


def _plane_indices(image: Geometry, grid: Geometry) -> np.ndarray:
    """4x4, i, j, k of the image to those of the grid: its axes in another order or direction, no scaling."""
    turn = np.round(np.linalg.inv(grid.direction) @ image.direction)
    if not np.allclose(np.abs(turn), np.eye(3)) or image.shape != grid.shape:
        raise SegmentationError("EXPORT_GEOMETRY_DIFFERS", distance_mm=_apart(image, grid))
    indices = np.eye(4)
    indices[:3, :3] = turn
    last = np.array(image.shape[::-1]) - 1
    indices[:3, 3] = np.where(np.diag(turn) < 0, last, 0)
    # the slice that lies on the first plane must do so to the pixel; only the steps may differ
    first = np.linalg.inv(indices) @ [0.0, 0.0, 0.0, 1.0]
    moved = np.linalg.inv(grid.ijk_to_ras) @ image.ijk_to_ras @ first
    in_plane = np.abs(np.array(image.spacing)[:2] / np.array(grid.spacing)[:2] - 1) * last[:2]
    if np.abs(moved[:3]).max() > ALIGNED_VOXELS or in_plane.max() > ALIGNED_VOXELS:
        raise SegmentationError("EXPORT_GEOMETRY_DIFFERS", distance_mm=_apart(image, grid))
    return indices


def _apart(image: Geometry, grid: Geometry) -> float:
    return float(np.linalg.norm(image.origin - grid.origin))


def edited_segments(placed: PlacedSegmentation) -> set[str]:
    """Ids of the segments whose voxels are not those that the engine made, as far as their tags tell."""
    edited = set()
    for segment in placed.segments:
        made = segment.tags.get(VOXEL_DIGEST_TAG)
        if not made:
            continue
        mask = placed.mask(segment)
        if mask.is_empty or not is_same(made, voxel_digest(mask.voxels, mask.start, placed.grid)):
            edited.add(segment.id)
    return edited
