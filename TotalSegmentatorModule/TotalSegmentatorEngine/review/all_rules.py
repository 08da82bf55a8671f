"""All rules on one segmentation: ``review`` gives the flags, the worst first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from TotalSegmentatorWire.messages.review import Flag, Level

from TotalSegmentatorEngine.review.explained import without_explained
from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.rules.body_order import wrong_places
from TotalSegmentatorEngine.review.rules.field_of_view import cut_by_scan
from TotalSegmentatorEngine.review.rules.holes import holes
from TotalSegmentatorEngine.review.rules.hounsfield import mean_hu, metal
from TotalSegmentatorEngine.review.rules.missing import missing
from TotalSegmentatorEngine.review.rules.pieces import pieces
from TotalSegmentatorEngine.review.rules.second_opinion import second_opinion
from TotalSegmentatorEngine.review.rules.spine_and_ribs import spine_and_ribs
from TotalSegmentatorEngine.review.rules.volumes import asymmetry, lung_share, volume

Rule = Callable[[Findings], Iterable[Flag]]
RULES: tuple[Rule, ...] = (
    cut_by_scan,
    wrong_places,
    missing,
    pieces,
    spine_and_ribs,
    holes,
    volume,
    asymmetry,
    lung_share,
    mean_hu,
    metal,
    second_opinion,
)


def review(findings: Findings, report: Callable[[float], None] = lambda share: None) -> list[Flag]:
    """Of the structures that shall be judged: as if all were, and the others' flags left out. ``report`` gets the share
    of the rules that are done, before each; it may raise to stop."""
    flags: list[Flag] = []
    for number, rule in enumerate(RULES):
        report(number / len(RULES))
        flags.extend(rule(findings))
    asked = [flag for flag in without_explained(flags) if findings.is_asked(flag.structure)]
    return sorted(asked, key=lambda flag: Level.FROM_WORST.index(flag.level))
