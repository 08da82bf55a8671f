"""A segmentation as it comes from Slicer or from a file: segments in layers that need not lie on the CT's grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, Structure, structure_table

from TotalSegmentatorEngine.export.core.codes import RoiCodes
from TotalSegmentatorEngine.imaging.geometry import Geometry

MODEL_TAG = PREFIX + "Model"


@dataclass(frozen=True, eq=False)
class Layer:
    """One label image; the segments in it do not overlap each other, those of different layers can."""

    array: np.ndarray
    """Whole numbers of at least 0, (k, j, i) of ``geometry``."""
    geometry: Geometry


@dataclass(frozen=True)
class Segment:
    """One segment: the voxels of ``layers[layer]`` that have the value ``label``."""

    id: str
    name: str
    colour: tuple[int, int, int]
    """0..255 per channel."""
    layer: int
    label: int
    tags: dict[str, str] = field(default_factory=dict)
    structure: Structure | None = None
    """The row of a label table, where the segment is one of the named structures."""
    codes: RoiCodes | None = None
    """As a DICOM file stated them; a segment of Slicer has them in its tags."""
    interpreted_type: str = ""
    """RT ROI Interpreted Type that a structure set stated."""
    origin: str = ""
    """Where a DICOM file said that it comes from."""


@dataclass(frozen=True)
class LeftOut:
    """A structure of a file that could not be read, while others could."""

    name: str
    detail: str
    """Why, to stand after "it cannot be exported:"."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    segments: tuple[Segment, ...]
    """No two have the same id."""
    layers: tuple[Layer, ...]
    left_out: tuple[LeftOut, ...] = ()
    """Whoever asks for one of these gets an error, not an export without it."""
    made_on: Geometry | None = None
    """Of the image on which it was made, which can be a part of the CT; None where nobody knows, or it is the CT."""
    is_part: bool = False
    """Whether there were further segments, which were not handed over."""


def unique_ids(ids: Iterable[str]) -> list[str]:
    """Ids of segments in their order; one that occurred before gets a number: "3", "3-2", "3-3"."""
    taken: set[str] = set()
    unique = []
    for number_of_none, wanted in enumerate(ids):
        name, count = wanted or f"Segment_{number_of_none + 1}", 1
        while name in taken:
            count += 1
            name = f"{wanted}-{count}"
        taken.add(name)
        unique.append(name)
    return unique


def structure_of(segment_id: str, name: str, tags: dict[str, str]) -> Structure | None:
    """The row of a label table whose name a segment has by its id or its name, spaces for underscores.

    The rows' TG-263 names count too, also those of cut structures: ``Kidney~_L`` comes back from a structure set.

    The tables agree about the structures that they share but for the label values; the tag that names the model
    ("117-3mm") says which one is asked first.
    """
    family = tags.get(MODEL_TAG, "").split("-")[0]
    tables = sorted(LABEL_TABLES, key=lambda table: table != f"structures_{family}")
    for table in tables:
        rows = _rows(table)
        for candidate in (segment_id, name):
            row = rows.get(candidate.strip().lower().replace(" ", "_"))
            if row is not None:
                return row
    return None


@cache
def _rows(table: str) -> dict[str, Structure]:
    rows = structure_table(table)
    names = (lambda row: row.tg263_cut_name, lambda row: row.tg263_name, lambda row: row.name)  # the last one wins
    return {name(row).lower(): row for name in names for row in rows if name(row)}
