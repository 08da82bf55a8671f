"""The names of vertebrae and ribs in the order of their numbers, and the names of the other side."""

from __future__ import annotations

VERTEBRA_PREFIX = "vertebrae_"
SHORT_VERTEBRAE = [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 7)]
"""C1 to L6, from the head to the feet."""
_RIBS = 12
_SERIES = (
    [VERTEBRA_PREFIX + short for short in SHORT_VERTEBRAE],
    *([f"rib_{side}_{number}" for number in range(1, _RIBS + 1)] for side in ("left", "right")),
)


def renumbered(name: str, by: int) -> str | None:
    """The name ``by`` places further towards the feet, such as vertebrae_L1 for vertebrae_T12 and 1; None beyond the
    end, and for what has no number."""
    for series in _SERIES:
        if name in series:
            place = series.index(name) + by
            return series[place] if 0 <= place < len(series) else None
    return None


def of_other_side(name: str) -> str | None:
    """rib_right_3 for rib_left_3; None for what has no side in its name."""
    words = name.split("_")
    sides = {"left": "right", "right": "left"}
    changed = [sides.get(word, word) for word in words]
    return "_".join(changed) if changed != words else None
