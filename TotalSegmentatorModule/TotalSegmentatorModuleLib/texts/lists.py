"""Names in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from slicer.i18n import tr as _


def listed(names: Sequence[str], at_most: int) -> str:
    """With commas; of more than ``at_most`` the first ones, and how many more there are."""
    first = ", ".join(names[:at_most])
    return _("{names} and {count} more").format(names=first, count=len(names) - at_most) if names[at_most:] else first
