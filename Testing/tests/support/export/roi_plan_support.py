"""Segmentations of little blocks, for tests of what goes out under which name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.rois.plan import RoiPlan, plan_rois
from TotalSegmentatorEngine.export.rois.selection import Choice
from TotalSegmentatorEngine.export.rois.template import load_template
from TotalSegmentatorEngine.export.rois.template_schema import Template, template_of_json
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorWire import ALGORITHM_NAME
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG
from TotalSegmentatorWire.tables.structures import structure_table

SHAPE = (12, 30, 20)
TABLES = {name: {row.name: row for row in structure_table(name)} for name in ("structures_104", "structures_117")}
MODELS = {"structures_104": "104-1.5mm", "structures_117": "117-3mm"}
INSIDE, AT_FIRST_SLICE, AT_LAST_SLICE, AT_LEFT_BORDER, NOWHERE = "inside", "first", "last", "left", "nowhere"
_PLACES = {
    INSIDE: (slice(4, 6), slice(8, 12)),
    AT_FIRST_SLICE: (slice(0, 6), slice(8, 12)),
    AT_LAST_SLICE: (slice(4, SHAPE[0]), slice(8, 12)),
    AT_LEFT_BORDER: (slice(4, 6), slice(12, SHAPE[2])),
    NOWHERE: (slice(0, 0), slice(0, 0)),
}


@dataclass(frozen=True)
class Block:
    """A segment: of a model where ``name`` is one of its structures, else drawn by hand."""

    name: str
    place: str = INSIDE
    state: str | None = None
    table: str = "structures_104"
    segment_name: str | None = None
    """What the segment was renamed to."""
    id: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    own_tags: bool = True
    """False for a structure of a model whose tags were lost, as in a label image."""


def placed(*blocks: Block | str) -> PlacedSegmentation:
    """One segment a block in its own rows, all in one layer."""
    array = np.zeros(SHAPE, np.uint8)
    segments = []
    for number, block in enumerate([b if isinstance(b, Block) else Block(b) for b in blocks], start=1):
        k, i = _PLACES[block.place]
        array[k, number, i] = number
        segments.append(_segment(block, number))
    grid = Geometry(SHAPE, np.diag([-1.0, -1.0, 3.0, 1.0]))
    return PlacedSegmentation(Segmentation(tuple(segments), (Layer(array, grid),)), grid)


def planned(*blocks: Block | str, edited: Sequence[str] = (), outline=None, template=None, **choice) -> RoiPlan:
    """The plan for these blocks. ``template`` is the name of one, or the lines of one."""
    return plan_rois(placed(*blocks), Choice(template=_template(template), **choice), edited, outline)


def names(plan: RoiPlan) -> list[str]:
    return [roi.name for roi in plan.rois]


def warnings(plan: RoiPlan) -> dict[str, dict]:
    return {problem.code: problem.values for problem in plan.warnings}


def _template(template: str | list | None) -> Template | None:
    if isinstance(template, list):
        return template_of_json({"version": 1, "structures": template})
    return load_template(template) if template else None


def _segment(block: Block, label: int) -> Segment:
    row = TABLES[block.table].get(block.name)
    tags = {}
    if row is not None and block.own_tags:
        tags = provenance_tags(MODELS[block.table], "totalsegmentator-2.18", "0.1.0", {})
        tags |= {"TerminologyEntry": row.terminology, "DICOM.SegmentAlgorithmType": "AUTOMATIC"}
        tags |= {"DICOM.SegmentAlgorithmName": ALGORITHM_NAME}
    if block.state is not None:
        tags[REVIEW_STATE_TAG] = block.state
    return Segment(
        id=block.id or (row.name if row else f"Segment_{label}"),
        name=block.segment_name or (row.display_name if row else block.name),
        colour=row.colour if row else (10, 20, 30),
        layer=0,
        label=label,
        tags=tags | block.tags,
        structure=row,
    )
