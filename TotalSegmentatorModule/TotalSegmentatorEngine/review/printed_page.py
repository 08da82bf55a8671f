"""What the command ``review`` prints."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from TotalSegmentatorWire.messages.review import Flag, Level, structures_by_level
from TotalSegmentatorWire.tables.review_rules import sentence_of, shown_name

_HEADS = {Level.WRONG: "Wrong?", Level.CHECK: "Check", Level.CUT: "Cut by the scan (needs no action)"}
_WIDTH = 118
_INDENT = "  "


def review_page(flags: Sequence[Flag]) -> str:
    """The headline, then the structures by level with the reasons; ends without a line end."""
    paragraphs = [headline(flags)]
    for level in (Level.WRONG, Level.CHECK):
        lines = [_line(flag) for flag in flags if flag.level == level]
        if lines:
            paragraphs.append("\n".join([_HEADS[level], *lines]))
    cut = sorted({shown_name(flag.structure) for flag in flags if flag.level == Level.CUT})
    if cut:
        paragraphs.append("\n".join([_HEADS[Level.CUT], _wrapped(", ".join(cut))]))
    return "\n\n".join(paragraphs)


def headline(flags: Sequence[Flag]) -> str:
    return "{wrong} wrong?, {check} to check, {cut} cut by the scan".format(**structures_by_level(flags))


def _line(flag: Flag) -> str:
    place = ""
    if flag.place_ras_mm is not None:
        place = " At RAS {:.0f}, {:.0f}, {:.0f} mm.".format(*flag.place_ras_mm)
    return _wrapped(sentence_of(flag) + place)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT * 2)
