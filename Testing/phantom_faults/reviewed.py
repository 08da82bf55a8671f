"""The review of a label map, and whether it finds what was planted."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.review_rules import sentence_of

from phantom_faults.label_map import LabelMap, PlantedFault

PLACE_MM = 10.0
"""So near a flag must point to the fault."""


def findings_of(body: LabelMap, known: Findings | None = None, only: Collection[str] | None = None) -> Findings:
    """As a job hands them to the rules: all structures were sought."""
    structures = [LabelledStructure(name, 0, label) for name, label in body.table.items()]
    geometry = Geometry(body.labels.shape, body.ijk_to_ras)
    ct = None if body.ct is None else Volume(body.ct, geometry)
    coarse = [] if body.coarse is None else [Findings([body.coarse], structures, geometry, sought=body.table)]
    return Findings([body.labels], structures, geometry, ct, sought=body.table, coarse=coarse, known=known, only=only)


def flags_of(body: LabelMap) -> list[Flag]:
    return review(findings_of(body))


def reviewed(body: LabelMap) -> Findings:
    """With all that the rules measure."""
    findings = findings_of(body)
    review(findings)
    return findings


def changed_structures(before: LabelMap, after: LabelMap) -> set[str]:
    """Whose voxels are others."""
    where = before.labels != after.labels
    labels = {*before.labels[where].tolist(), *after.labels[where].tolist()}
    return {name for name, label in before.table.items() if label in labels}


def as_written(flags: Iterable[Flag]) -> list[dict]:
    """The places rounded, as they go out."""
    return [flag.to_json(sentence_of(flag)) for flag in flags]


def finds(flags: list[Flag], fault: PlantedFault) -> bool:
    """By the rule that is meant for it, on the right structure, at the right level and place."""
    return any(
        flag.rule in (fault.rule, *fault.alike)
        and flag.structure == fault.structure
        and flag.level == fault.level
        and flag.place_ras_mm is not None
        and _distance_mm(flag, fault) <= PLACE_MM
        and (fault.others is None or flag.others == fault.others)
        for flag in flags
    )


def _distance_mm(flag: Flag, fault: PlantedFault) -> float:
    places = np.array([fault.place]) if fault.region is None else fault.region
    return float(np.linalg.norm(places - np.array(flag.place_ras_mm), axis=1).min())
