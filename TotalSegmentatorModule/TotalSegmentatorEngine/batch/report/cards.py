"""A CT in a report: its picture, what the check says of it, and where its files are."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorWire.agreement.words import is_below, short_agreement
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_rules import sentence_of, shown_name

from TotalSegmentatorEngine.batch.report.contents import CtEntry
from TotalSegmentatorEngine.batch.report.pictures import Pictures
from TotalSegmentatorEngine.export.page.html_parts import html

_SHOWN_AT_ONCE = 3
"""Remarks; the others open on a click."""
LEVELS = {Level.WRONG: "likely wrong", Level.CHECK: "to check", Level.CUT: "cut by the scan"}


def cards(entries: Sequence[CtEntry], pictures: Pictures) -> str:
    return '<div class="cards">' + "".join(_card(entry, pictures) for entry in entries) + "</div>"


def _card(entry: CtEntry, pictures: Pictures) -> str:
    lines = [f"<b>{html(entry.id)}</b>", html(_counts(entry))]
    if entry.agreement is not None:
        said = html(short_agreement(entry.agreement))
        lines.append(f"<strong>{said}</strong>" if is_below(entry.agreement) else said)
    if entry.error is not None:
        lines.append(f"<strong>Failed: {html(entry.error.code)}</strong>")
    links = _links(entry)
    return (
        f'<div class="card" id="ct-{html(entry.id)}">{pictures.element(entry.id)}<p>{"<br>".join(lines)}</p>'
        f"{_remarks(entry.flags)}{links}</div>\n"
    )


def _counts(entry: CtEntry) -> str:
    said = [f"{entry.structures} structures"]
    said += [f"{entry.levels[level]} {words}" for level, words in LEVELS.items() if entry.levels[level]]
    return ", ".join(said)


def _remarks(flags: Sequence[Flag]) -> str:
    if not flags:
        return ""
    items = [f'<li class="{flag.level}">{html(_said(flag))}</li>' for flag in flags]
    first, more = items[:_SHOWN_AT_ONCE], items[_SHOWN_AT_ONCE:]
    shown = f"<ul>{''.join(first)}</ul>"
    if not more:
        return shown
    return f"{shown}<details><summary>{len(more)} more</summary><ul>{''.join(more)}</ul></details>"


def _said(flag: Flag) -> str:
    """The sentence of this version's tables; a rule or number that they do not have leaves its name."""
    try:
        sentence = sentence_of(flag)
    except (KeyError, IndexError, ValueError):
        sentence = f"{shown_name(flag.structure)}: {flag.rule}"
    return sentence[:1].upper() + sentence[1:]


def _links(entry: CtEntry) -> str:
    """To the files in the CT's folder that a browser shows."""
    page = entry.exports.get("review")
    return f'<p><a href="{html(entry.id)}/{html(page)}">Review sheet</a></p>' if page else ""
