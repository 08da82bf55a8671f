"""Vertebrae and ribs together: measured once, and what one fault explains is said once."""

from __future__ import annotations

from collections.abc import Iterator

from TotalSegmentatorWire.messages.review import Flag

from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.rules.numbering import numbering_flags
from TotalSegmentatorEngine.review.rules.ribs import rib_flags
from TotalSegmentatorEngine.review.rules.vertebrae import vertebra_flags
from TotalSegmentatorEngine.review.spine.bones import spine_of
from TotalSegmentatorEngine.review.spine.rib_heads import rib_heads


def spine_and_ribs(findings: Findings) -> Iterator[Flag]:
    """All are looked at, also where only some shall be judged: what is wrong shows beside the others."""
    return (flag for flag in _all_flags(findings) if findings.is_asked(flag.structure))


def _all_flags(findings: Findings) -> Iterator[Flag]:
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
