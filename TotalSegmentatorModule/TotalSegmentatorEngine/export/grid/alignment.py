"""Brings a segmentation and the CT series together: is it that CT, and which of its slices is which plane?"""

from __future__ import annotations

import dataclasses

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG, series_digest
from TotalSegmentatorWire.tables.review_state import VOXEL_DIGEST_TAG

from TotalSegmentatorEngine.export.core.segmentation import Layer, Segmentation
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.grid.placement import ALIGNED_VOXELS, PlacedSegmentation, box_on
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.voxel_digest import is_same, voxel_digest

SAME_DIRECTION = 2e-3
"""Largest difference of a direction cosine (0.1 degrees): headers round to three decimals."""


def check_series(segmentation: Segmentation, reference: ReferenceSeries) -> None:
    """Raises SegmentationError("EXPORT_OTHER_CT") where a segment says that it was made on another series."""
    if not reference.series_instance_uid:
        return
    here = series_digest(reference.series_instance_uid)
    if any(segment.tags.get(CT_SERIES_TAG, here) != here for segment in segmentation.segments):
        raise SegmentationError("EXPORT_OTHER_CT")


def on_volume_voxels(segmentation: Segmentation, reference: ReferenceSeries, volume: Geometry) -> Segmentation:
    """The layers moved with the voxels of Slicer's ``volume`` onto ``reference.grid``.

    A structure belongs to the voxels that it was drawn on. Where these are shown elsewhere - an irregular series has
    equal steps in Slicer and a transform that displays it where it is, and a user can move a volume (Center Volume) -
    the series' own positions count. A cropped volume does not say which of the series' voxels it has; there its
    place counts.

    Raises SegmentationError("EXPORT_CT_MOVED") where the volume's voxels are not those of the series any more.
    """
    turn = _turn(volume, reference.grid)
    is_alike = turn is not None and np.array_equal(np.diag(turn)[:2], [1, 1])
    is_series = is_alike and volume.shape == reference.grid.shape
    steps = slice(0, 3 if reference.is_regular else 2)
    scaled = np.abs(np.array(volume.spacing) / np.array(reference.grid.spacing) - 1) * np.array(volume.shape[::-1])
    if not is_series or scaled[steps].max() > ALIGNED_VOXELS:
        if is_alike and reference.is_regular and box_on(volume, reference.grid) is not None:
            return dataclasses.replace(segmentation, made_on=segmentation.made_on or volume)
        raise SegmentationError("EXPORT_CT_MOVED")
    return _moved(segmentation, volume, reference.grid, _index_map(turn, volume))


def on_planes(segmentation: Segmentation, reference: ReferenceSeries) -> Segmentation:
    """The layers of a file moved onto ``reference.grid``, slice by slice, where the series' steps are irregular.

    An image of an irregular series has equal steps; so its slice number k belongs to the series' plane k, wherever its
    header puts it. Raises SegmentationError("EXPORT_IMAGE_DIFFERS") where it does not have the planes of the series.
    """
    if reference.is_regular or not segmentation.layers:
        return segmentation
    image = segmentation.layers[0].geometry
    turn = _turn(image, reference.grid)
    if turn is None or image.shape != reference.grid.shape:
        raise SegmentationError("EXPORT_IMAGE_DIFFERS")
    indices = _index_map(turn, image)
    # the slice that lies on the first plane must do so to the pixel; only the steps may differ
    first = np.linalg.inv(indices) @ [0.0, 0.0, 0.0, 1.0]
    moved = np.linalg.inv(reference.grid.ijk_to_ras) @ image.ijk_to_ras @ first
    last = np.array(image.shape[::-1]) - 1
    in_plane = np.abs(np.array(image.spacing)[:2] / np.array(reference.grid.spacing)[:2] - 1) * last[:2]
    if np.abs(moved[:3]).max() > ALIGNED_VOXELS or in_plane.max() > ALIGNED_VOXELS:
        raise SegmentationError("EXPORT_IMAGE_DIFFERS")
    return _moved(segmentation, image, reference.grid, indices)


def _turn(image: Geometry, grid: Geometry) -> np.ndarray | None:
    """3x3 with 1 or, in the opposite direction, -1 for each axis that runs along the grid's, else None."""
    along = np.linalg.inv(grid.direction) @ image.direction
    turn = np.round(along)
    is_turn = np.array_equal(np.abs(turn), np.eye(3)) and np.abs(along - turn).max() <= SAME_DIRECTION
    return turn if is_turn else None


def _index_map(turn: np.ndarray, image: Geometry) -> np.ndarray:
    """4x4, i, j, k of the image to those of a grid of the same shape, whose axes it runs along."""
    indices = np.eye(4)
    indices[:3, :3] = turn
    indices[:3, 3] = np.where(np.diag(turn) < 0, np.array(image.shape[::-1]) - 1, 0)
    return indices


def _moved(segmentation: Segmentation, image: Geometry, grid: Geometry, indices: np.ndarray) -> Segmentation:
    to_grid = grid.ijk_to_ras @ indices @ np.linalg.inv(image.ijk_to_ras)
    layers = tuple(
        Layer(layer.array, Geometry(layer.geometry.shape, to_grid @ layer.geometry.ijk_to_ras))
        for layer in segmentation.layers
    )
    made_on = segmentation.made_on
    if made_on is not None:
        made_on = Geometry(made_on.shape, to_grid @ made_on.ijk_to_ras)
    return dataclasses.replace(segmentation, layers=layers, made_on=made_on)


def edited_segments(placed: PlacedSegmentation) -> set[str]:
    """Ids of the segments whose voxels are not those that the engine made, as far as their tags say."""
    edited = set()
    for segment in placed.segments:
        made = segment.tags.get(VOXEL_DIGEST_TAG)
        if not made or not placed.is_inside(segment):  # it cannot go out
            continue
        mask = placed.mask(segment)
        if mask.is_empty or not is_same(made, voxel_digest(mask.voxels, mask.start, placed.grid)):
            edited.add(segment.id)
    return edited
