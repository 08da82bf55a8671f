"""Structures that the scan cuts: no fault of the segmentation, and no action needed."""

from __future__ import annotations

from collections.abc import Iterator

from TotalSegmentatorWire.messages.review import Flag, Level

from TotalSegmentatorEngine.review.measures.findings import Findings


def cut_by_scan(findings: Findings) -> Iterator[Flag]:
    for finding in findings.values():
        if finding.is_cut:
            yield Flag("cut_by_scan", Level.CUT, finding.name, numbers={"sides": ", ".join(finding.sides)})
