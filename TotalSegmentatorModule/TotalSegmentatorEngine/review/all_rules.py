"""All rules on one segmentation: ``review`` gives the flags, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from TotalSegmentatorWire.messages.review import Flag, Level

from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.rules.field_of_view import cut_by_scan
from TotalSegmentatorEngine.review.rules.second_opinion import second_opinion

Rule = Callable[[Findings], Iterable[Flag]]
RULES: tuple[Rule, ...] = (cut_by_scan, second_opinion)


def review(findings: Findings, check_cancelled: Callable[[], None] = lambda: None) -> list[Flag]:
    """``check_cancelled`` is called before each rule and may raise to stop."""
    flags: list[Flag] = []
    for rule in RULES:
        check_cancelled()
        flags.extend(rule(findings))
    return sorted(flags, key=lambda flag: Level.FROM_WORST.index(flag.level))
