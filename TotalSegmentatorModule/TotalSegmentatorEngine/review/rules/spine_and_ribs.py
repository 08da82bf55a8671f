"""Vertebrae and ribs together: measured once, and what one fault explains is said once."""

from __future__ import annotations

from collections.abc import Iterator

from TotalSegmentatorWire.messages.review import Flag

from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.rules.numbering import numbering_flags
from TotalSegmentatorEngine.review.rules.ribs import rib_flags
from TotalSegmentatorEngine.review.rules.vertebrae import vertebra_flags
from TotalSegmentatorEngine.review.spine.bones import NUMBERS, spine_of
from TotalSegmentatorEngine.review.spine.rib_heads import RIB_NUMBERS, SIDES, rib_heads, rib_name

_NAMES = (*NUMBERS, *(rib_name(side, number) for side in SIDES for number in RIB_NUMBERS))


def spine_and_ribs(findings: Findings) -> Iterator[Flag]:
    """All are looked at, also where only some shall be judged: what is wrong shows beside the others."""
    if not any(map(findings.is_asked, _NAMES)):
        return
    spine = spine_of(findings)
    if spine is None:
        return
    heads = rib_heads(findings, spine)
    numbering = numbering_flags(spine, heads)
    yield from numbering.flags
    for flag in vertebra_flags(spine):
        if (flag.rule, flag.structure) not in numbering.explained:
            yield flag
    yield from rib_flags(findings, spine, heads, numbering.ribs)
