"""Makes a segmentation again from a saved review, in small steps; the scene is touched in the last one."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.recovery.saved_review import SavedLayer, SavedReview, SavedSegment, UnsavedReview
from TotalSegmentatorModuleLib.recovery.voxel_store import VoxelStore
from TotalSegmentatorModuleLib.scene.computed_structures import keep_computed
from TotalSegmentatorModuleLib.scene.segment_notices import SegmentNotices
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SCALARS_NAME
from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, add_to_scene, find_ct
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import release_images
from TotalSegmentatorModuleLib.segment.result_name import name_of_result

_WORK_SECONDS = 0.010
_REST_MS = 5


def restored_review(
    unsaved: UnsavedReview, preferred_ct, notices: SegmentNotices
) -> Generator[int, None, tuple[Any, Any]]:
    """A background task (see task_runner): returns the vtkMRMLSegmentationNode, and the vtkMRMLScalarVolumeNode on
    which it was put: ``preferred_ct`` if its grid fits, else the volume whose grid does, or None.

    Ended early, it has not touched the scene. ``notices`` are told of the segments that Slicer has still to list.
    Raises SegmentationError("REVIEW_DAMAGED").
    """
    review, store = unsaved.review, VoxelStore(unsaved.folder)
    images = []
    for layer in review.layers:
        images.append((yield from _image(layer, store)))
    pieces = []
    for digest in review.computed:
        pieces.append(store.read(digest).decode("utf-8"))
        yield _REST_MS
    segmentation = yield from _segmentation(review, images)
    ct = ct_of_review(unsaved, preferred_ct)
    structures = [segment.id for segment in review.segments]
    name = name_of_result(ct.GetName() if ct is not None else "", structures, review.model.split(", "), review.created)
    notices.finish()  # of what came before
    node, former = add_to_scene(
        segmentation, ImportTarget(ct, None, name), lambda node, _segments: _write_attributes(node, review)
    )
    keep_computed(node, "".join(pieces))
    notices.add(node, former)
    return node, ct


def ct_of_review(unsaved: UnsavedReview, preferred_ct):
    """The vtkMRMLScalarVolumeNode on which it is put: ``preferred_ct`` if its grid fits, else the volume whose grid
    does, or None."""
    made = unsaved.review.ct
    return find_ct(made, preferred_ct) if made is not None else None


def _write_attributes(node, review: SavedReview) -> None:
    for name, value in review.attributes.items():
        node.SetAttribute(name, value)


def _image(layer: SavedLayer, store: VoxelStore) -> Generator[int, None, Any]:
    """The vtkOrientedImageData of a layer."""
    try:
        shape, dtype = layer.shape, np.dtype(layer.dtype)
        scalars = vtk.vtkDataArray.CreateDataArray(vtk.util.numpy_support.get_vtk_array_type(dtype))
    except TypeError as error:
        raise SegmentationError("REVIEW_DAMAGED") from error
    scalars.SetName(SCALARS_NAME)
    scalars.SetNumberOfTuples(int(np.prod(shape, dtype=np.int64)))
    array = vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(shape)
    deadline = time.monotonic() + _WORK_SECONDS
    for number, digest in enumerate(layer.pieces):
        target = array[number * layer.slices : (number + 1) * layer.slices]
        data = np.frombuffer(store.read(digest), dtype)
        if data.size != target.size:
            raise SegmentationError("REVIEW_DAMAGED")
        target[...] = data.reshape(target.shape)
        if time.monotonic() >= deadline:
            yield _REST_MS
            deadline = time.monotonic() + _WORK_SECONDS
    if len(layer.pieces) * layer.slices < shape[0]:
        raise SegmentationError("REVIEW_DAMAGED")
    image = slicer.vtkOrientedImageData()
    image.SetExtent(*layer.extent)
    image.GetPointData().SetScalars(scalars)
    image.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(np.reshape(layer.ijk_to_ras, (4, 4))))
    return image


def _segmentation(review: SavedReview, images: Sequence[Any]) -> Generator[int, None, Any]:
    """A vtkSegmentation that nobody sees yet; one that is not used is released."""
    segmentation = slicer.vtkSegmentation()
    segmentation.SetSourceRepresentationName(BINARY_LABELMAP)
    try:
        deadline = time.monotonic() + _WORK_SECONDS
        for saved in review.segments:
            segmentation.AddSegment(_segment(saved, images), saved.id)
            if time.monotonic() >= deadline:
                yield _REST_MS
                deadline = time.monotonic() + _WORK_SECONDS
        yield _REST_MS  # the scene's turn is a step of its own
    except BaseException:
        release_images(segmentation)
        raise
    return segmentation


def _segment(saved: SavedSegment, images: Sequence[Any]):
    segment = slicer.vtkSegment()
    segment.SetName(saved.name)
    segment.SetNameAutoGenerated(False)
    segment.SetColor(*saved.colour)
    segment.SetColorAutoGenerated(False)
    segment.SetLabelValue(saved.label)
    if saved.layer is not None:
        if not 0 <= saved.layer < len(images):
            raise SegmentationError("REVIEW_DAMAGED")
        segment.AddRepresentation(BINARY_LABELMAP, images[saved.layer])
    for name, value in saved.tags.items():
        segment.SetTag(name, value)
    return segment
