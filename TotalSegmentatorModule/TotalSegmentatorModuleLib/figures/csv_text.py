"""The table as comma-separated values, for spreadsheets and statistics."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from TotalSegmentatorWire.tables.usual_ranges import Range

from TotalSegmentatorModuleLib.figures.measured import Measured
from TotalSegmentatorModuleLib.review.table.texts import sentence

COLUMNS = (
    "name",
    "tg263",
    "volume_ml",
    "usual_low_ml",
    "usual_high_ml",
    "volume_source",
    "mean_hu",
    "usual_low_hu",
    "usual_high_hu",
    "hu_source",
    "review_state",
    "level",
    "remarks",
)
"""As in the engine's table of volumes, where that has them."""


def csv_text(rows: Sequence[Measured]) -> str:
    """Numbers have decimal points; what is not known is empty."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_line(each) for each in rows)
    return stream.getvalue()


def _line(each: Measured) -> dict[str, Any]:
    row = each.row
    line = {
        "name": row.name,
        "tg263": row.tg263,
        "volume_ml": "" if row.volume_ml is None else f"{row.volume_ml:.3f}",
        "mean_hu": "" if row.mean_hu is None else f"{row.mean_hu:.1f}",
        "review_state": row.state.value,
        "level": row.kind,
        "remarks": " ".join(sentence(shown) for shown in row.flags),
    }
    return line | _ends(each.usual_ml, "ml", "volume_source") | _ends(each.usual_hu, "hu", "hu_source")


def _ends(usual: Range | None, unit: str, source: str) -> dict[str, str]:
    if usual is None:
        return {}
    low, high = ("" if end is None else f"{end:g}" for end in (usual.low, usual.high))
    return {f"usual_low_{unit}": low, f"usual_high_{unit}": high, source: usual.source}
