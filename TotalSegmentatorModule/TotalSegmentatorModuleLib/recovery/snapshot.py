"""Saves a segmentation under review in small steps, as it is now."""

from __future__ import annotations

import time
from collections.abc import Generator, Hashable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support
from TotalSegmentatorWire.tables.result_tags import PREFIX

from TotalSegmentatorModuleLib.recovery.saved_review import (
    SavedCt,
    SavedLayer,
    SavedReview,
    SavedSegment,
    write_review_file,
)
from TotalSegmentatorModuleLib.recovery.voxel_store import VoxelStore
from TotalSegmentatorModuleLib.scene.computed_structures import computed_text
from TotalSegmentatorModuleLib.scene.review_tags import segment_tags
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP
from TotalSegmentatorModuleLib.scene.segments import all_segments, reference_volume
from TotalSegmentatorModuleLib.scene.volumes import ijk_to_ras, series_instance_uid
from TotalSegmentatorModuleLib.tags.review_flags import REVIEW_ATTRIBUTE
from TotalSegmentatorModuleLib.tags.segment_tags import read_tag
from TotalSegmentatorModuleLib.tags.structure_measures import MEASURES_TAG

WORK_SECONDS = 0.010
_REST_MS = 20
PIECE_BYTES = 1 << 20
"""Of a label image: hashed and compressed in about 5 ms."""
_TEXT_PIECE = 1 << 18
"""Of the structures as computed, which are compressed already: likewise."""
MODEL_TAG = PREFIX + "Model"


@dataclass
class Written:
    """What was written for one node: an image that has not changed since is not read again."""

    layers: dict[Hashable, SavedLayer] = field(default_factory=dict)
    computed: tuple[str, list[str]] = ("", [])
    """The text and the digests of its pieces."""


def save_review(node_id: str, folder: Path, created: str, written: Written) -> Generator[int, None, bool]:
    """A part of what a timer drives, as a background task is. Returns whether the review was saved: not where the node
    has left the scene, or its segments have become others meanwhile. Raises OSError."""
    store = VoxelStore(folder)
    node = _present(node_id)
    if node is None:
        return False
    frame = _frame(node)
    layers: dict[Hashable, SavedLayer] = {}
    for number in range(len(_images(node))):
        image = _images(node)[number]
        stamp = _stamp(image)
        if stamp in written.layers:
            layers[stamp] = written.layers[stamp]
            continue
        pieces: list[str] = []
        slices = _slices_of_piece(image)
        deadline = time.monotonic() + WORK_SECONDS
        for first in range(0, _shape(image)[0], slices):
            if time.monotonic() >= deadline:
                yield _REST_MS  # the application may do anything to the image
                node = _present(node_id)
                if node is None or _frame(node) != frame:
                    return False
                image = _images(node)[number]
                deadline = time.monotonic() + WORK_SECONDS
            pieces.append(store.put(_bytes_of(_voxels(image)[first : first + slices])))
        layers[stamp] = _layer(image, slices, pieces)
    yield from _keep_computed(node, store, written)
    node = _present(node_id)
    if node is None or _frame(node) != frame:
        return False
    review = _review(node, created, list(layers.values()), written.computed[1])
    write_review_file(folder, review)
    yield _REST_MS
    store.keep_only(review.digests)
    written.layers = layers
    return True


def _present(node_id: str):
    node = slicer.mrmlScene.GetNodeByID(node_id)
    return node if node is not None and node.IsA("vtkMRMLSegmentationNode") else None


# -- label images ------------------------------------------------------------------------------------------------------


def _images(node) -> list:
    """The vtkOrientedImageDatas with voxels, in the order in which the segments come to them."""
    segmentation, images = node.GetSegmentation(), []
    for segment_id in all_segments(node):
        image = segmentation.GetSegment(segment_id).GetRepresentation(BINARY_LABELMAP)
        if _has_voxels(image) and image not in images:
            images.append(image)
    return images


def _has_voxels(image) -> bool:
    return image is not None and image.GetNumberOfPoints() > 0 and image.GetPointData().GetScalars() is not None


def _frame(node) -> Hashable:
    """Differs when a piece that was written would no longer be where the review says; drawing does not change it."""
    images, segmentation = _images(node), node.GetSegmentation()
    of_segments = []
    for segment_id in all_segments(node):
        segment = segmentation.GetSegment(segment_id)
        image = segment.GetRepresentation(BINARY_LABELMAP)
        place = images.index(image) if _has_voxels(image) else None
        of_segments.append((segment_id, segment.GetLabelValue(), place))
    return (*of_segments, *((image.GetExtent(), image.GetScalarType(), *_matrix(image)) for image in images))


def _stamp(image) -> Hashable:
    """Times count up across the application, so that no two images have the same."""
    return image.GetMTime(), image.GetPointData().GetScalars().GetMTime()


def _shape(image) -> tuple[int, int, int]:
    return tuple(reversed(image.GetDimensions()))


def _voxels(image) -> np.ndarray:
    """(k, j, i), not copied."""
    return vtk.util.numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(_shape(image))


def _slices_of_piece(image) -> int:
    return max(1, PIECE_BYTES // max(1, _voxels(image)[0].nbytes))


def _bytes_of(array: np.ndarray) -> memoryview:
    return memoryview(np.ascontiguousarray(array)).cast("B")


def _matrix(image) -> list[float]:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix).ravel().tolist()


def _layer(image, slices: int, pieces: list[str]) -> SavedLayer:
    return SavedLayer(list(image.GetExtent()), _matrix(image), _voxels(image).dtype.name, slices, pieces)


# -- all else ----------------------------------------------------------------------------------------------------------


def _keep_computed(node, store: VoxelStore, written: Written) -> Generator[int, None, None]:
    text = computed_text(node)
    yield _REST_MS
    if text != written.computed[0]:
        pieces = []
        for first in range(0, len(text), _TEXT_PIECE):
            pieces.append(store.put(text[first : first + _TEXT_PIECE].encode("utf-8")))
            yield _REST_MS
        written.computed = (text, pieces)


def _review(node, created: str, layers: list[SavedLayer], computed: list[str]) -> SavedReview:
    segmentation, images = node.GetSegmentation(), _images(node)
    segments = []
    for segment_id in all_segments(node):
        segment = segmentation.GetSegment(segment_id)
        image = segment.GetRepresentation(BINARY_LABELMAP)
        measures = read_tag(segment, MEASURES_TAG)
        segments.append(
            SavedSegment(
                id=segment_id,
                name=segment.GetName() or "",
                colour=list(segment.GetColor()),
                layer=images.index(image) if _has_voxels(image) else None,
                label=segment.GetLabelValue(),
                tags={**segment_tags(segment), **({MEASURES_TAG: measures} if measures else {})},
            )
        )
    attribute = node.GetAttribute(REVIEW_ATTRIBUTE)
    return SavedReview(
        created=created,
        model=", ".join(dict.fromkeys(each.tags[MODEL_TAG] for each in segments if MODEL_TAG in each.tags)),
        ct=_ct(reference_volume(node)),
        layers=layers,
        segments=segments,
        attributes={REVIEW_ATTRIBUTE: attribute} if attribute else {},
        computed=computed,
    )


def _ct(volume) -> SavedCt | None:
    if volume is None or volume.GetImageData() is None:
        return None
    shape = list(reversed(volume.GetImageData().GetDimensions()))
    return SavedCt(shape, ijk_to_ras(volume).ravel().tolist(), series_instance_uid(volume))
