"""Structures of others, from DICOM SEG objects and RT Structure Sets, as a segmentation like any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from TotalSegmentatorEngine.geometry import Geometry
from TotalSegmentatorWire.errors import Problem, SegmentationError

from .read_structure import ReadStructure
from .reference_series import ReferenceSeries
from .rtstruct_reader import is_structure_set, read_rtstruct
from .seg_reader import is_seg, read_seg
from .segments import Layer, Segment, Segmentation, structure_of

_COLOURLESS = (128, 174, 128)

Warn = Callable[[Problem], None]


def read_structures(path: Path, reference: ReferenceSeries, warn: Warn) -> list[ReadStructure]:
    """The structures of a DICOM SEG or an RT Structure Set on the planes of the CT.

    Raises SegmentationError: SEGMENTATION_UNREADABLE, and what the readers of these raise.
    """
    if is_structure_set(path):
        return read_rtstruct(path, reference, warn)
    if is_seg(path):
        return read_seg(path, reference, warn)
    raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is neither a DICOM SEG nor an RT Structure Set")


def as_segmentation(structures: Sequence[ReadStructure], grid: Geometry) -> Segmentation:
    """Each structure as a segment with a layer of its own, cut to its voxels: they can overlap."""
    segments, layers = [], []
    for number, structure in enumerate(structures):
        offset = np.eye(4)
        offset[:3, 3] = structure.mask.start[::-1]
        geometry = Geometry(structure.mask.voxels.shape, grid.ijk_to_ras @ offset)
        layers.append(Layer(structure.mask.voxels.astype(np.uint8), geometry))
        row = structure_of(structure.name, structure.name, {})
        colour = structure.colour or (row.colour if row is not None else _COLOURLESS)
        segments.append(Segment(str(structure.number), structure.name, colour, number, 1, {}, row))
    return Segmentation(tuple(segments), tuple(layers))
