"""Names of structures in sentences: in one line, not too long, not too many."""

from __future__ import annotations

import re
from collections.abc import Iterable

MOST_NAMES = 6
LONGEST_SHOWN = 40
"""Characters of one name: ROI Name may have 64 (PS3.5 6.2), a .seg.nrrd file any number."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\s]+")


def listed(names: Iterable[str]) -> str:
    """Some names for a sentence: "A, B, C" or, where there are more than MOST_NAMES, "A, B, ... and 12 more"."""
    shown = [shortened(name) for name in names]
    rest = len(shown) - MOST_NAMES
    if rest <= 1:  # "and 1 more" is no shorter than the name itself
        return ", ".join(shown)
    return "{} and {} more".format(", ".join(shown[:MOST_NAMES]), rest)


def all_listed(names: Iterable[str]) -> str:
    """Every name, for what must not be overlooked."""
    return ", ".join(shortened(name) for name in names)


def shortened(name: str) -> str:
    """``name`` in one line of at most LONGEST_SHOWN characters."""
    text = _UNPRINTABLE.sub(" ", name).strip()
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 3].rstrip() + "..."
