"""What a node knows of a received series, as it stands in the series' folder."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorEngine.imaging.durable_file import read_json, write_json

WAITING, DONE, FAILED, PASSED_OVER = "waiting", "done", "failed", "passed_over"
"""What became of a series: not looked at yet, segmented, could not be segmented, holds no CT volume."""

_FILE = "state.json"


@dataclass
class SeriesState:
    """Times are seconds since 1970."""

    first: float
    """When its first object came."""
    last: float
    """When its last object came, or its last transfer ended."""
    is_open: bool = False
    """A transfer goes on."""
    is_cut_off: bool = False
    """A transfer broke, and the rest has not come."""
    held_at_cut: int = 0
    """Objects that were there when it broke."""
    work: str = WAITING
    code: str = ""
    """Of the error, where it failed."""
    cases: tuple[str, ...] = ()
    """Ids of its CTs in the results."""
    is_reported: bool = False
    """That it is incomplete was said."""

    def write(self, folder: Path) -> None:
        """Raises OSError."""
        write_json(folder / _FILE, dataclasses.asdict(self))


def read_state(folder: Path) -> SeriesState | None:
    """None where it is missing or spoilt."""
    fields: dict[str, Any] | None = read_json(folder / _FILE)
    try:
        state = SeriesState(**fields or {})
        state.cases = tuple(state.cases)
    except TypeError:
        return None
    return state
