"""What the model computed, kept beside what somebody made of it: with a scene, or as a file of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.computed import ComputedStructures, computed_from_json

from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.export.sources.structures import Warn
from TotalSegmentatorEngine.imaging.geometry import Geometry

_COLOUR = (128, 128, 128)


def read_computed(path: Path, labels: str | None, warn: Warn) -> Segmentation:
    """``path``: computed.json of a result, or a segmentation file as ``read_segmentation`` reads it.

    Raises SegmentationError: INPUT_NOT_FOUND, SEGMENTATION_UNREADABLE, and what ``read_segmentation`` raises.
    """
    if path.suffix.lower() != ".json":
        return read_segmentation(path, labels, warn)
    if not path.is_file():
        raise SegmentationError("INPUT_NOT_FOUND")
    return computed_of_text(path.read_text(encoding="utf-8", errors="replace"))


def computed_of_text(text: str, to_ct: np.ndarray | None = None) -> Segmentation:
    """``text``: JSON of ComputedStructures. ``to_ct``: 4x4, from its RAS to the CT's.

    Raises SegmentationError("SEGMENTATION_UNREADABLE").
    """
    try:
        return _segmentation(computed_from_json(text), np.eye(4) if to_ct is None else to_ct)
    except (SegmentationError, ValueError, IndexError, TypeError) as error:
        detail = "the computed structures that were kept are damaged"
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail=detail) from error


def _segmentation(computed: ComputedStructures, to_ct: np.ndarray) -> Segmentation:
    """In one layer: they come from one label image and do not overlap."""
    names = list(computed.structures)
    array = np.zeros(computed.grid_shape, np.uint8 if len(names) < 256 else np.uint16)
    segments = []
    for label, name in enumerate(names, start=1):
        packed = computed.structures[name]
        box = tuple(slice(first, first + size) for first, size in zip(packed.start, packed.shape, strict=True))
        bits = np.frombuffer(packed.unpacked(), np.uint8)
        array[box][np.unpackbits(bits, count=int(np.prod(packed.shape))).reshape(packed.shape) != 0] = label
        segments.append(Segment(name, name, _COLOUR, 0, label, structure=structure_of(name, name, {})))
    grid = Geometry(tuple(computed.grid_shape), to_ct @ np.reshape(computed.ijk_to_ras, (4, 4)))
    return Segmentation(tuple(segments), (Layer(array, grid),))
