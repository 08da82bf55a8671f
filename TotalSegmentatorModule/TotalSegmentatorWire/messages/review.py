"""What the review says about the structures of a result: flags, as they cross the wire and stand in files.

A flag is one remark on one structure, made by one rule of ``TotalSegmentatorWire.tables.review_rules``, which holds its
sentence and the repair that fits it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

REVIEW_VERSION = 1
"""Of the JSON that the command ``review`` writes; raised when a field changes its meaning."""


class Level:
    """How much a flag asks of the reader."""

    WRONG = "wrong"
    """Likely wrong: few, shown in red."""
    CHECK = "check"
    """Worth a look: amber."""
    CUT = "cut"
    """The scan ends there: grey, needs no action."""

    FROM_WORST = (WRONG, CHECK, CUT)


@dataclass(frozen=True)
class Flag:
    rule: str
    """Id of a row of ``review_rules``."""
    level: str
    """One of Level.FROM_WORST."""
    structure: str
    """Name as in the label tables; of a missing structure, too."""
    others: tuple[str, ...] = ()
    """Names of further structures that take part: a neighbour, the rest of a run."""
    place_ras_mm: tuple[float, float, float] | None = None
    """Where to look; None where there is no one place."""
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)
    """The evidence, and whatever the rule's sentence names: volumes in ml, lengths in mm, HU."""

    def to_json(self, sentence: str) -> dict[str, Any]:
        """``sentence``: the finished English one."""
        return {
            "rule": self.rule,
            "level": self.level,
            "structure": self.structure,
            "others": list(self.others),
            "sentence": sentence,
            "place_ras_mm": None if self.place_ras_mm is None else [round(float(x), 1) for x in self.place_ras_mm],
            "numbers": dict(self.numbers),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Flag:
        """Raises SegmentationError("BAD_REQUEST") for what ``to_json`` did not write."""
        try:
            place = fields["place_ras_mm"]
            return cls(
                rule=str(fields["rule"]),
                level=Level.FROM_WORST[Level.FROM_WORST.index(fields["level"])],
                structure=str(fields["structure"]),
                others=tuple(str(name) for name in fields["others"]),
                place_ras_mm=None if place is None else tuple(float(x) for x in place),
                numbers=dict(fields["numbers"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error


def structures_by_level(flags: Collection[Flag]) -> dict[str, int]:
    """For each level how many structures have a flag of it. A structure that is wrong is not to be checked as well; one
    that the scan cuts may be either, too."""
    names = {level: {flag.structure for flag in flags if flag.level == level} for level in Level.FROM_WORST}
    names[Level.CHECK] -= names[Level.WRONG]
    return {level: len(found) for level, found in names.items()}


def review_object(flags: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """As it stands in a result's header. ``flags``: each as ``Flag.to_json`` gives it."""
    return {"version": REVIEW_VERSION, "flags": list(flags)}


def review_to_json(flags: Iterable[dict[str, Any]]) -> str:
    """The object as text."""
    return json.dumps(review_object(flags), ensure_ascii=False, indent=1)


def flags_from_json(text: str) -> list[Flag]:
    """Raises SegmentationError("BAD_REQUEST")."""
    try:
        return flags_from_object(json.loads(text))
    except ValueError as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error


def flags_from_object(fields: Mapping[str, Any]) -> list[Flag]:
    """Of what ``review_object`` gives. Raises SegmentationError("BAD_REQUEST")."""
    try:
        flags = fields["flags"] if fields["version"] == REVIEW_VERSION else None
    except (KeyError, TypeError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error
    if not isinstance(flags, list):
        raise SegmentationError("BAD_REQUEST", detail="version")
    return [Flag.from_json(each) for each in flags]
