"""Reads the segmentation that Slicer's side wrote into the folder of an export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import (
    SEGMENTATION_HEADER,
    SegmentationHeader,
    TransferredLayer,
    TransferredSegment,
    segmentation_header_from_json,
)

from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.export.sources.computed import computed_of_text
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.imaging.image_files import compact
from TotalSegmentatorEngine.imaging.raw_voxels import read_raw


def read_transferred_segmentation(folder: Path) -> tuple[Segmentation, SegmentationHeader]:
    """Segments and layers as ``segmentation.json`` and the raw files beside it say.

    Raises SegmentationError("BAD_REQUEST") where they do not fit each other.
    """
    try:
        header = segmentation_header_from_json((folder / SEGMENTATION_HEADER).read_text(encoding="utf-8"))
    except OSError as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from None
    layers = tuple(_layer(folder, layer) for layer in header.layers)
    if any(not 0 <= segment.layer < len(layers) for segment in header.segments):
        raise SegmentationError("BAD_REQUEST", detail="a layer is missing")
    made_on = None
    if header.made_on_shape:
        made_on = Geometry(tuple(header.made_on_shape), np.reshape(header.made_on_ijk_to_ras, (4, 4)))
    segments = tuple(_segment(segment) for segment in header.segments)
    return Segmentation(segments, layers, made_on=made_on, is_part=header.is_part), header


def transferred_ct_geometry(header: SegmentationHeader) -> Geometry:
    """The grid of the CT's volume node, without its parent transform."""
    return Geometry(tuple(header.ct_shape), np.reshape(header.ct_ijk_to_ras, (4, 4)))


def transferred_ct(folder: Path, header: SegmentationHeader) -> Volume | None:
    """The CT's voxels, where they were sent. Raises SegmentationError("BAD_REQUEST")."""
    if not header.ct_voxels:
        return None
    geometry = transferred_ct_geometry(header)
    return Volume(compact(read_raw(folder / header.ct_voxels, geometry.shape, header.ct_dtype)), geometry)


def transferred_computed(folder: Path, header: SegmentationHeader) -> Segmentation:
    """What the model computed, in the space of the layers. Raises SegmentationError: BAD_REQUEST,
    SEGMENTATION_UNREADABLE."""
    try:
        text = (folder / header.computed).read_text(encoding="utf-8")
    except OSError as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from None
    return computed_of_text(text, np.reshape(header.segmentation_to_ct, (4, 4)))


def _layer(folder: Path, layer: TransferredLayer) -> Layer:
    geometry = Geometry(tuple(layer.shape), np.reshape(layer.ijk_to_ras, (4, 4)))
    return Layer(read_raw(folder / layer.file, geometry.shape, layer.dtype), geometry)


def _segment(segment: TransferredSegment) -> Segment:
    return Segment(
        segment.id,
        segment.name,
        tuple(segment.colour),
        segment.layer,
        segment.label,
        dict(segment.tags),
        structure_of(segment.id, segment.name, segment.tags),
    )
