"""Structures that were not found though their neighbours, their partner on the other side, or a coarser model's result
say that they are there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.review_thresholds import threshold
from TotalSegmentatorWire.tables.structure_rows import checked_rows, known_names, names_of
from TotalSegmentatorWire.tables.structures import is_occasional

from TotalSegmentatorEngine.review.measures.body_frame import BodyFrame
from TotalSegmentatorEngine.review.measures.findings import Finding, Findings
from TotalSegmentatorEngine.review.measures.pair_table import pair_of, partner_of

CHAIN, ORGAN = _KINDS = ("chain", "organ")
"""Of rows in ``between.csv``: vertebrae and ribs follow each other at like distances, organs do not."""
_CHAINS = ("vertebrae_", "rib_left_", "rib_right_")


@dataclass(frozen=True)
class _Between:
    """``name`` lies between one of ``above`` and one of ``below``, along the body."""

    name: str
    above: tuple[str, ...]
    below: tuple[str, ...]
    kind: str
    level: str


def missing(findings: Findings) -> Iterator[Flag]:
    """Where nobody knows what was sought, a gap in a row of vertebrae or ribs still tells."""
    sought = findings.sought or {name for name, row in _between_rows().items() if row.kind == CHAIN}
    absent = [
        name for name in sorted(sought) if name not in findings and findings.is_asked(name) and not is_occasional(name)
    ]
    frame = BodyFrame(findings)
    for name in absent:
        flag = _seen_by_coarse(findings, name) or _between(findings, name, frame)
        if flag is None and findings.sought:
            flag = _one_sided(findings, name, frame)
        if flag is not None:
            yield flag


def _seen_by_coarse(findings: Findings, name: str) -> Flag | None:
    seen = next((coarse[name] for coarse in findings.coarse if name in coarse), None)
    if seen is None or seen.volume_ml < threshold("coarse_seen_ml"):
        return None
    level = Level.WRONG if seen.volume_ml >= threshold("coarse_surely_seen_ml") else Level.CHECK
    return Flag("missing_but_seen", level, name, (), tuple(seen.centre_ras_mm), {"volume_ml": rounded(seen.volume_ml)})


def _between(findings: Findings, name: str, frame: BodyFrame) -> Flag | None:
    row = _between_rows().get(name)
    if row is None:
        return None
    above, below = _neighbour(findings, row.above, "feet"), _neighbour(findings, row.below, "head")
    if above is None or below is None or (row.kind == CHAIN and not _has_room(findings, name, above, below)):
        return None
    middle = (above.centre_ras_mm + below.centre_ras_mm) / 2
    mirrored = None if row.kind == CHAIN else _other_side(findings, name, frame)
    place = tuple(middle if mirrored is None else mirrored)
    numbers = {"distance_mm": rounded(np.linalg.norm(above.centre_ras_mm - below.centre_ras_mm))}
    return Flag("missing_between", row.level, name, (above.name, below.name), place, numbers)


def _neighbour(findings: Findings, names: tuple[str, ...], far_side: str) -> Finding | None:
    """The largest of them where the scan shows enough of it: neither its ``far_side``, where the missing one begins,
    nor its sides are cut."""
    found = [findings[name] for name in names if name in findings]
    found = [each for each in found if each.volume_ml >= threshold("missing_neighbour_ml")]
    best = max(found, key=lambda each: each.voxels, default=None)
    return None if best is None or best.is_cut_at_a_side or far_side in best.sides else best


def _has_room(findings: Findings, name: str, above: Finding, below: Finding) -> bool:
    """Whether the neighbours in a chain are further apart than two that follow each other."""
    stem = next(chain for chain in _CHAINS if name.startswith(chain))
    chain = [row for row in _between_rows() if row.startswith(stem)]
    chain = [_between_rows()[chain[0]].above[0], *chain, _between_rows()[chain[-1]].below[0]]
    steps = [
        np.linalg.norm(findings[one].centre_ras_mm - findings[other].centre_ras_mm)
        for one, other in pairwise(chain)
        if one in findings and other in findings
    ]
    if not steps:
        return False
    distance = np.linalg.norm(above.centre_ras_mm - below.centre_ras_mm)
    return bool(distance >= threshold("missing_spacing") * np.median(steps))


def _one_sided(findings: Findings, name: str, frame: BodyFrame) -> Flag | None:
    pair, partner = pair_of(name), partner_of(name)
    if pair is None or not pair.missing or partner not in findings or findings[partner].is_cut:
        return None
    place = _other_side(findings, name, frame)
    if place is None:
        return None
    numbers = {"partner_ml": rounded(findings[partner].volume_ml)}
    return Flag("missing_partner", pair.missing, name, (partner,), tuple(place), numbers)


def _other_side(findings: Findings, name: str, frame: BodyFrame) -> np.ndarray | None:
    """The middle of a structure's partner, mirrored; None where there is none, or that place is not well within the
    scan."""
    partner = partner_of(name)
    if partner is None or partner not in findings or not frame.is_known_at(findings[partner].centre_ras_mm[2]):
        return None
    place = frame.mirrored(findings[partner].centre_ras_mm)
    half = np.array([part.stop - part.start for part in findings[partner].box]) / 2
    return place if findings.holds(findings.index(place), half) else None


@cache
def _between_rows() -> dict[str, _Between]:
    """Raises ValueError, OSError where the table is damaged."""
    found = {}
    for row in checked_rows("between.csv", ("structure", "above", "below", "kind", "level")):
        above, below = (tuple(names_of(row[column], known_names())) for column in ("above", "below"))
        name = row["structure"]
        if name not in known_names() or not above or not below or row["kind"] not in _KINDS or name in found:
            raise ValueError(f"between.csv: {name}: an unknown structure or kind, or the structure occurs twice")
        if row["level"] not in Level.FROM_WORST:
            raise ValueError(f"between.csv: {name}: an unknown level")
        found[name] = _Between(name, above, below, row["kind"], row["level"])
    return found
