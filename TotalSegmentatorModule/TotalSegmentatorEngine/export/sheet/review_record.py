"""What the segments' tags say of the review: the remarks, and what was decided on those without a segment."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.review import Flag, flags_from_json
from TotalSegmentatorWire.tables.review_rules import RULES, sentence_of
from TotalSegmentatorWire.tables.review_state import ABSENT_TAG, FLAGS_TAG, REPAIRED, ReviewState

from TotalSegmentatorEngine.export.core.segmentation import Segment


@dataclass(frozen=True)
class RecordedFlag:
    flag: Flag
    sentence: str
    is_repaired: bool = False


@dataclass(frozen=True)
class ReviewRecord:
    flags: tuple[RecordedFlag, ...]
    absent_states: Mapping[str, ReviewState] = field(default_factory=dict)
    """Of structures without a segment that somebody judged, by name."""


def record_of(segments: Iterable[Segment], flags: Iterable[Flag] | None, file: Path | None) -> ReviewRecord | None:
    """What the tags of ``segments`` hold; without these ``flags`` that have just been found, or those in ``file`` as
    the command ``review`` writes it. None where nothing was checked.

    Raises SegmentationError("BAD_REQUEST") for a file that is none of these, INPUT_UNREADABLE.
    """
    tagged = _tagged(segments)
    if tagged is not None:
        return tagged
    if flags is None and file is not None and file.is_file():
        flags = _read(file)
    return None if flags is None else ReviewRecord(tuple(RecordedFlag(flag, sentence_of(flag)) for flag in flags))


def _read(file: Path) -> list[Flag]:
    try:
        return flags_from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SegmentationError("INPUT_UNREADABLE", file=file.name) from error


def _tagged(segments: Iterable[Segment]) -> ReviewRecord | None:
    """A flag of a segment whose tag somebody damaged is left out, as in the panel."""
    flags: list[RecordedFlag] = []
    states: dict[str, ReviewState] = {}
    was_checked = False
    segments = list(segments)
    ids = {segment.id for segment in segments}
    for segment in segments:
        rows = _json(segment.tags.get(FLAGS_TAG))
        if isinstance(rows, list):
            was_checked = True
            flags += filter(None, map(_recorded, rows))
        absent = _json(segment.tags.get(ABSENT_TAG))
        if isinstance(absent, dict):
            rows = absent.get("flags")
            found = filter(None, map(_recorded, rows if isinstance(rows, list) else ()))
            flags += [each for each in found if each.flag.structure not in ids]
            judged = absent.get("states")
            states |= _states(judged if isinstance(judged, dict) else {})
    return ReviewRecord(tuple(flags), states) if was_checked else None


def _recorded(row: Any) -> RecordedFlag | None:
    """The sentence of this version's table or, of a rule that it does not know, the one that was kept."""
    try:
        flag = Flag.from_json(row)
        sentence = sentence_of(flag) if flag.rule in RULES else str(row.get("sentence", ""))
        return RecordedFlag(flag, sentence, row.get(REPAIRED) is True)
    except (SegmentationError, AttributeError, KeyError, IndexError, ValueError):
        return None


def _states(judged: Mapping[str, Any]) -> dict[str, ReviewState]:
    values = {state.value: state for state in ReviewState}
    return {name: values[state] for name, state in judged.items() if state in values}


def _json(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except ValueError:
        return None
