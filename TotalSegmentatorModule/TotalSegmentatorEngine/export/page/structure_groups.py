"""Structures in the order of the label tables, so that neighbours in the body stand together, and by their groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from TotalSegmentatorWire.tables.review_rules import shown_name
from TotalSegmentatorWire.tables.structures import GROUPS, known_structures

_OTHERS = "Other structures"
_TITLES = {
    "organ": "Organs",
    "bone": "Bones",
    "muscle": "Muscles",
    "vessel": "Vessels",
    "cartilage": "Cartilage",
    "tooth": "Teeth",
    "cavity": "Cavities",
    "region": "Regions",
    "lesion": "Lesions",
    "device": "Implants and devices",
    _OTHERS: _OTHERS,
}
T = TypeVar("T")


def by_group(items: Sequence[T], name_of: Callable[[T], str]) -> dict[str, list[T]]:
    """By the groups' titles; those that have none of ``items`` are left out. ``name_of``: as in the label tables or as
    a clinician reads it."""
    order = {shown_name(name): place for place, name in enumerate(known_structures())}
    groups = {shown_name(name): row.group for name, row in known_structures().items()}

    def key(item: T) -> tuple[int, str]:
        name = shown_name(name_of(item))
        return order.get(name, len(order)), name

    found = {
        _TITLES[group]: sorted((x for x in items if groups.get(shown_name(name_of(x)), _OTHERS) == group), key=key)
        for group in (*GROUPS, _OTHERS)
    }
    return {title: some for title, some in found.items() if some}
