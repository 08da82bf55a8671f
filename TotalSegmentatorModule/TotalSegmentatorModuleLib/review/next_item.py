"""Which structure comes next in a review."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorModuleLib.review.rows import ReviewRow


def next_open(keys: Sequence[str], rows: Mapping[str, ReviewRow], current: str | None, step: int) -> str | None:
    """The next (``step`` 1) or previous (-1) structure of ``keys`` that waits for a judgement, beginning anew at the
    end; those that were put off come when no other is left. None where nothing waits but ``current`` itself."""
    if current in keys:
        place = keys.index(current)
        following = [*keys[place + 1 :], *keys[:place]]
    else:
        following = list(keys)
    waiting = [key for key in (following if step > 0 else reversed(following)) if rows[key].is_open]
    first = [key for key in waiting if rows[key].state is not ReviewState.NEEDS_ATTENTION]
    return next(iter(first or waiting), None)
