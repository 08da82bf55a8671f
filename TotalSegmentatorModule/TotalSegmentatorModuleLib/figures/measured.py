"""What is known of the sizes of structures: measured values, published ranges, remark and status of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from TotalSegmentatorWire.tables.usual_ranges import Range, hu_ranges, volume_ranges

from TotalSegmentatorModuleLib.review.table.rows import ReviewRow


@dataclass(frozen=True)
class Measured:
    row: ReviewRow
    usual_ml: Range | None
    """Published volumes; None where there are none."""
    usual_hu: Range | None
    """Means that the tissue can have."""


def measured(rows: Iterable[ReviewRow]) -> list[Measured]:
    """Of the rows that have a segment, in their order."""
    return [Measured(row, volume_ranges().get(row.key), hu_ranges().get(row.key)) for row in rows if row.has_segment]
