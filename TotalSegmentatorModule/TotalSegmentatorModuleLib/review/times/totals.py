"""The seconds for which structures were under review, in a file among the user's data.

There is one total for each name of the label tables, and nothing else: no user, date, patient or segmentation.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

from TotalSegmentatorWire.tables.structures import known_structures

OTHERS = ""
"""Stands for all structures that no label table has: their names are the user's own."""


def kept_name(key: str) -> str:
    """The name under which the time for a structure is kept; ``key`` is that of its row."""
    return key if key in known_structures() else OTHERS


def read_totals(file: Path) -> dict[str, float]:
    """Seconds by names; empty where the file is absent or damaged."""
    try:
        totals = json.loads(file.read_text(encoding="utf-8"))["seconds"]
        return {kept_name(name): float(seconds) for name, seconds in totals.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        logging.warning("The times of the review cannot be read")
        return {}


def add_totals(file: Path, seconds: Mapping[str, float]) -> None:
    """Add ``seconds`` to what the file holds by now: another Slicer may have written it. Raises OSError."""
    totals = read_totals(file)
    for name, more in seconds.items():
        totals[name] = round(totals.get(name, 0.0) + more, 1)
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(file.name + ".part")
    try:
        draft.write_text(json.dumps({"version": 1, "seconds": totals}, indent=1, sort_keys=True), encoding="utf-8")
        draft.replace(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
