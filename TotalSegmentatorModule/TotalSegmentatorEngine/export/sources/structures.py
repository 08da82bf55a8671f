"""Structures of others, from DICOM SEG objects and RT Structure Sets, as a segmentation like any other."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.export.core.segmentation import (
    Layer,
    LeftOut,
    Segment,
    Segmentation,
    structure_of,
    unique_ids,
)
from TotalSegmentatorEngine.export.dicom.read_structure import ReadStructure
from TotalSegmentatorEngine.export.dicom.reading_report import reported
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.tracking import TRACKING_UID_TAG
from TotalSegmentatorEngine.export.rois.parts import ALGORITHM_NAME_TAG, ALGORITHM_TYPE_TAG
from TotalSegmentatorEngine.export.rtstruct.reader import is_structure_set, read_rtstruct
from TotalSegmentatorEngine.export.seg.reader import is_seg, read_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry

_COLOURLESS = (128, 174, 128)
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")
"""A value of CS, PS3.5 6.2."""

Warn = Callable[[Problem], None]


def read_structures(
    path: Path, reference: ReferenceSeries, warn: Warn
) -> tuple[list[ReadStructure], tuple[LeftOut, ...]]:
    """The structures of a DICOM SEG or an RT Structure Set on the planes of the CT, and those that were left out.

    Raises SegmentationError: SEGMENTATION_UNREADABLE, and what the readers of these raise.
    """
    if is_structure_set(path):
        read = read_rtstruct
    elif is_seg(path):
        read = read_seg
    else:
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is neither a DICOM SEG nor an RT Structure Set")
    with reported(warn) as report:
        return read(path, reference, report), report.left_out


def as_segmentation(
    structures: Sequence[ReadStructure], grid: Geometry, left_out: tuple[LeftOut, ...] = ()
) -> Segmentation:
    """Each structure as a segment with a layer of its own, cut to its voxels: they can overlap.

    A segment says who made it, what it means and its interpreted type as the file does, and nothing more. Its id is
    the structure's number, or made of it where an earlier one has the same.
    """
    segments, layers = [], []
    ids = unique_ids(str(structure.number) for structure in structures)
    for number, structure in enumerate(structures):
        offset = np.eye(4)
        offset[:3, 3] = structure.mask.start[::-1]
        geometry = Geometry(structure.mask.voxels.shape, grid.ijk_to_ras @ offset)
        layers.append(Layer(structure.mask.voxels.astype(np.uint8), geometry))
        row = structure_of(structure.name, structure.name, {})
        colour = structure.colour or (row.colour if row is not None else _COLOURLESS)
        segments.append(
            Segment(
                id=ids[number],
                name=structure.name,
                colour=colour,
                layer=number,
                label=1,
                tags=_tags(structure),
                structure=row,
                codes=structure.codes,
                interpreted_type=_code_string(structure.interpreted_type),
                origin=structure.origin,
            )
        )
    return Segmentation(tuple(segments), tuple(layers), left_out)


def _tags(structure: ReadStructure) -> dict[str, str]:
    """Slicer's own, as it and QuantitativeReporting give them to the segments of a DICOM SEG."""
    tags = {
        ALGORITHM_TYPE_TAG: structure.algorithm,
        ALGORITHM_NAME_TAG: structure.algorithm_name,
        TRACKING_UID_TAG: structure.tracking_uid,
    }
    return {name: value for name, value in tags.items() if value}


def _code_string(text: str) -> str:
    """``text`` as a file may state it; some makers write small letters. Empty where it is none at all."""
    value = text.strip().upper()
    return value if _CODE_STRING.fullmatch(value) else ""
