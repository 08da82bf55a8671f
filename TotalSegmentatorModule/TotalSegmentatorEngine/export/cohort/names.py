"""What structures are called in a report that others read: a name that somebody typed can be a patient's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from TotalSegmentatorWire.tables.review_rules import shown_name

from TotalSegmentatorEngine.export.compare.comparison import JOINED_BY, ComparisonRow
from TotalSegmentatorEngine.export.compare.pairing import NamePair, public_name, structure_key

OTHER = "other structure {}"


class StructureNames:
    """Names of the label tables, of the unions that planning uses and of a file of pairs are written; others become
    numbers, unless they are kept."""

    def __init__(self, pairs: Sequence[NamePair], keeps_names: bool) -> None:
        self._pairs = {_keys(pair.ours): JOINED_BY.join(pair.ours) for pair in pairs}
        self._pairs |= {_keys(pair.theirs): JOINED_BY.join(pair.ours) for pair in pairs}
        self._keeps_names = keeps_names
        self._others: dict[str, str] = {}

    @property
    def others(self) -> Mapping[str, str]:
        """What was written for a name, to the name."""
        return {written: name for name, written in self._others.items()}

    def of(self, row: ComparisonRow) -> str:
        for side in (row.ours, row.theirs):
            name = self._public(side)
            if name is not None:
                return name
        own = row.ours or row.theirs
        return own if self._keeps_names else self._others.setdefault(own, OTHER.format(len(self._others) + 1))

    def _public(self, side: str) -> str | None:
        """None where no table has it; parts that are compared as one are known if all of them are."""
        parts = side.split(JOINED_BY) if side else []
        if not parts:
            return None
        if _keys(parts) in self._pairs:
            return self._pairs[_keys(parts)]
        names = [public_name(part) for part in parts]
        return None if None in names else JOINED_BY.join(map(shown_name, names))


def _keys(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(structure_key, names))
