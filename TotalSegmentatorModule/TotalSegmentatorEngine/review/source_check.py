"""The check of a segmentation that is exported and that nobody has checked before."""

from __future__ import annotations

from collections.abc import Callable

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.review import Flag

from TotalSegmentatorEngine.export.sources.source import ExportSource
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.reading import findings_of_source


def flags_of_source(source: ExportSource, check_cancelled: Callable[[], None]) -> tuple[Flag, ...] | None:
    """What the command ``review`` finds in it; None where it holds no structure that the check knows by name.

    Raises what ``findings_of_source`` and ``check_cancelled`` raise.
    """
    try:
        findings = findings_of_source(source, None, lambda unknown: None, check_cancelled=check_cancelled)
    except SegmentationError as error:
        if error.code == "REVIEW_NO_STRUCTURES":
            return None
        raise
    return tuple(review(findings, lambda share: check_cancelled()))
