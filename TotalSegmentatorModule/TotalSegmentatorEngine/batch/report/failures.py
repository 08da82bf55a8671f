"""Why CTs failed, in the sentences of the tables of errors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from TotalSegmentatorWire.errors.problem import ERRORS, WARNINGS

from TotalSegmentatorEngine.batch.report.contents import CtEntry
from TotalSegmentatorEngine.export.page.html_parts import Markup, html, table

_HEADS = ("Code", "CTs", "What happened, and what to do", "which")
_WARNING_HEADS = ("Code", "CTs", "What it says", "which")
_MOST_IDS = 200
"""Of one row; the table of all CTs has the others."""
_UNKNOWN = "A code of another version of this program."


def failure_table(failed: Sequence[CtEntry]) -> str:
    """By code, the most frequent first. CTs without a card are anchored here."""
    groups: dict[str, list[CtEntry]] = defaultdict(list)
    for entry in failed:
        groups[entry.error.code].append(entry)
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    rows = [
        (code, str(len(some)), _explained(code, some), Markup(", ".join(map(_place, some)))) for code, some in ordered
    ]
    return f'<div class="codes">{table(_HEADS, rows, frozenset(_HEADS[1:2]))}</div>'


def _explained(code: str, entries: Sequence[CtEntry]) -> Markup:
    """The sentences with the numbers that all have in common; below them, what is said of each where they differ."""
    numbers = [entry.error.numbers for entry in entries]
    common = {name: value for name, value in numbers[0].items() if all(each.get(name) == value for each in numbers)}
    text = html(_sentences(code, common))
    if len({_sentences(code, each) for each in numbers}) == 1:
        return text
    lines = (f"<li>{html(each.id)}: {html(_sentences(code, each.error.numbers, with_todo=False))}" for each in entries)
    return Markup(f"{text}<details><summary>Each of them</summary><ul>{''.join(lines)}</ul></details>")


def _place(entry: CtEntry) -> str:
    """A link to its card, or its place in the page."""
    return ct_link(entry.id) if entry.is_segmented else ct_anchor(entry.id)


def ct_anchor(case_id: str) -> Markup:
    """The place to which the links of a CT without a card lead."""
    return Markup(f'<span class="id" id="ct-{html(case_id)}">{html(case_id)}</span>')


def ct_link(case_id: str) -> Markup:
    return Markup(f'<a class="id" href="#ct-{html(case_id)}">{html(case_id)}</a>')


def warning_table(entries: Sequence[CtEntry]) -> str:
    """Empty without warnings."""
    groups: dict[str, list[CtEntry]] = defaultdict(list)
    for entry in entries:
        for code in entry.warnings:
            groups[code].append(entry)
    rows = []
    for code, some in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        links = ", ".join(ct_link(entry.id) for entry in some[:_MOST_IDS])
        more = f" and {len(some) - _MOST_IDS} more" if len(some) > _MOST_IDS else ""
        rows.append((code, str(len(some)), _sentences(code, {}, with_todo=False), Markup(links + more)))
    return f'<div class="codes">{table(_WARNING_HEADS, rows, frozenset(_WARNING_HEADS[1:2]))}</div>' if rows else ""


def _sentences(code: str, numbers: dict[str, float], with_todo: bool = True) -> str:
    """What a record does not hold, such as the name of a file, is left open."""
    definition = ERRORS.get(code) or WARNINGS.get(code)
    if definition is None:
        return _UNKNOWN
    words = (definition.what, definition.todo) if with_todo else (definition.what,)
    return " ".join(text.format_map(_Known(numbers)) for text in words)


class _Known(dict):
    def __missing__(self, key: str) -> _Open:
        return _Open()


class _Open:
    """What is not known, in any format."""

    def __format__(self, spec: str) -> str:
        return "[...]"
