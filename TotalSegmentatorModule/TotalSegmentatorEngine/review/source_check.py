"""The check of a segmentation that is exported and that nobody has checked before.

The rules are loaded when they are needed: other exports do not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import SegmentationError

if TYPE_CHECKING:
    from TotalSegmentatorWire.messages.review import Flag

    from TotalSegmentatorEngine.export.sources.source import ExportSource


def flags_of_source(source: ExportSource, check_cancelled: Callable[[], None]) -> tuple[Flag, ...] | None:
    """What the command ``review`` finds in it; None where it holds no structure that the check knows by name.

    Raises what ``findings_of_source`` and ``check_cancelled`` raise.
    """
    from TotalSegmentatorEngine.review.all_rules import review
    from TotalSegmentatorEngine.review.reading import findings_of_source

    try:
        findings = findings_of_source(source, (), lambda unknown: None, check_cancelled=check_cancelled)
    except SegmentationError as error:
        if error.code == "REVIEW_NO_STRUCTURES":
            return None
        raise
    return tuple(review(findings, lambda share: check_cancelled()))
