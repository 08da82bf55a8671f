"""The report over all CTs of a run as one file for browsers: no script, nothing from the network; it prints on A4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.agreement.words import is_below, percent_text, short_agreement
from TotalSegmentatorWire.messages.review import Level

from TotalSegmentatorEngine.batch.report.cards import LEVELS, cards
from TotalSegmentatorEngine.batch.report.contents import CtEntry, ReportContents
from TotalSegmentatorEngine.batch.report.failures import ct_anchor, ct_link, failure_table, warning_table
from TotalSegmentatorEngine.batch.report.pictures import Pictures
from TotalSegmentatorEngine.batch.report.volume_tables import outlier_table, volume_sections
from TotalSegmentatorEngine.export.page.html_parts import Markup, document, html, paragraphs, table
from TotalSegmentatorEngine.export.sheet.drawing import WINDOW_LEVEL, WINDOW_WIDTH

TITLE = "Segmented CTs"
_STYLE = """
svg { width: 100%; height: auto; display: block; } .plot { break-inside: avoid; margin-bottom: 6px; }
nav a { margin-right: 14px; } .wide { overflow-x: auto; }
.head { display: flex; gap: 8px 44px; flex-wrap: wrap; margin: 10px 0; }
.head td:first-child { text-align: right; font-weight: bold; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); gap: 16px 14px; }
.card { break-inside: avoid; font-size: 12px; content-visibility: auto; contain-intrinsic-size: auto 300px auto 260px; }
.card img { width: 100%; height: auto; background: #000; } .card b { font-size: 13px; } .card p { margin: 3px 0; }
.card ul { margin: 3px 0; padding-left: 16px; } .card .none { border: 1px solid #999; padding: 40px 12px; }
.wrong::marker { color: #b03a00; } li.wrong { font-weight: bold; } summary { cursor: pointer; }
.card:target, .id:target { outline: 3px solid #b03a00; outline-offset: 3px; }
.codes td:nth-child(3) { width: 50%; } .codes ul { margin: 2px 0; padding-left: 16px; } .outliers { max-width: 700px; }
.id, .card b { font-family: monospace; }
@media print { nav { display: none; } a { color: #000; text-decoration: none; } .list { font-size: 8.5px; }
 .cards { grid-template-columns: repeat(4, 1fr); gap: 8px; } .card { font-size: 8px; content-visibility: visible; }
 .card b { font-size: 9px; } }
"""
_ALL_HEADS = (
    "CT", "state", "structures", "likely wrong", "to check", "cut", "slices", "voxels mm", "s", "as exact %",
    "warnings",
)  # fmt: skip
MOST_CARDS = 2000
"""In a page; further CTs are rows of the table of all CTs only, so that a page over many thousands still opens."""
_HOUR = 3600
_MOST_IDS = 50
"""Of CTs without a result."""


def report_page(contents: ReportContents, pictures: Pictures, today: date, most_cards: int = MOST_CARDS) -> str:
    flagged, unflagged, failed = contents.flagged, contents.unflagged, contents.failed
    shown = flagged[:most_cards]
    others = unflagged[: most_cards - len(shown)]
    carded = {entry.id for entry in (*shown, *others)}
    rows = (_row(entry, entry.id in carded) for entry in contents.entries)
    body = [
        f"<h1>{TITLE}</h1>",
        *paragraphs([f"{ALGORITHM_NAME} {ENGINE_VERSION}, {today.isoformat()}.", _ID_NOTE]),
        _head(contents),
        *_missing(contents.missing),
        '<nav><a href="#remarks">CTs with remarks</a><a href="#volumes">Volumes</a><a href="#failed">Failed</a>'
        '<a href="#others">CTs without remarks</a><a href="#all">All CTs</a></nav>',
        '<h2 id="remarks">CTs with remarks</h2>',
        *_cards_of(shown, len(flagged), pictures, "No CT has a remark that asks for a look."),
        '<h2 id="volumes">Volumes</h2>',
        *volume_sections(contents.volumes),
        "<h3>Furthest from the other CTs</h3>",
        f'<div class="outliers">{outlier_table(contents.volumes)}</div>',
        '<h2 id="failed">Failed</h2>',
        *([failure_table(failed)] if failed else paragraphs(["No CT has failed."])),
        *_warnings(contents.entries),
        '<h2 id="others">CTs without remarks</h2>',
        *_cards_of(others, len(unflagged), pictures, "There are none."),
        '<h2 id="all">All CTs</h2>',
        f'<div class="wide">{table(_ALL_HEADS, rows, frozenset(_ALL_HEADS[2:10]))}</div>',
        *paragraphs([_PICTURE_NOTE, "For research use; not a medical device."], "small"),
    ]
    return document(TITLE, _STYLE, body)


# -- head --------------------------------------------------------------------------------------------------------------


def _head(contents: ReportContents) -> str:
    done = sum(entry.error is None for entry in contents.entries)
    codes = Counter(entry.error.code for entry in contents.failed)
    counts = [(str(len(contents.entries)), "CTs"), (str(done), "done")]
    counts += [(str(count), f"failed: {code}") for code, count in sorted(codes.items(), key=lambda x: (-x[1], x[0]))]
    if contents.copies:
        counts.append((str(contents.copies), "found twice, done once"))
    counts += [(str(count), f"passed over: {what}") for what, count in sorted(contents.passed_over.items())]
    levels = [
        (str(sum(entry.levels[level] > 0 for entry in contents.entries)), f"with structures {words}")
        for level, words in LEVELS.items()
    ]
    seconds = [entry.seconds for entry in contents.entries if entry.is_segmented and entry.seconds > 0]
    made = [(str(count), words) for words, count in sorted(contents.models.items(), key=lambda x: (-x[1], x[0]))]
    if seconds:
        together = f"{sum(seconds) / _HOUR:.1f} h" if sum(seconds) > _HOUR else f"{sum(seconds) / 60:.0f} min"
        made.append(("", f"{np.median(seconds):.0f} s a CT (median), {together} together"))
    made += _agreements(contents.entries)
    blocks = {"CTs": counts, "Remarks of the check": levels, "Segmented with": made}
    shown = "".join(f"<div><h3>{title}</h3>{_counts(rows)}</div>" for title, rows in blocks.items())
    return f'<div class="head">{shown}</div>'


def _agreements(entries: Iterable[CtEntry]) -> list[tuple[str, str]]:
    """How well approximate labels agree with the exact ones: how often that was checked, and the least of it."""
    checked = [entry.agreement for entry in entries if entry.agreement is not None]
    if not checked:
        return []
    least = min(checked, key=lambda each: each.foreground.value)
    found = [(str(len(checked)), f"approximate, checked against exact labels; least: {short_agreement(least)}")]
    below = sum(map(is_below, checked))
    return [*found, (str(below), "of them below the agreement that was asked for")] if below else found


def _counts(rows: Iterable[tuple[str, str]]) -> str:
    return "<table>" + "".join(f"<tr><td>{html(n)}</td><td>{html(words)}</td></tr>" for n, words in rows) + "</table>"


def _missing(ids: Sequence[str]) -> list[str]:
    if not ids:
        return []
    shown = ", ".join(ids[:_MOST_IDS]) + (f" and {len(ids) - _MOST_IDS} more" if len(ids) > _MOST_IDS else "")
    return paragraphs(
        [
            f"CTs of this run without a result: {len(ids)}. They are not done yet, another process is at work on them, "
            f"or their folders were moved or deleted; the same command does what is missing. {shown}"
        ]
    )


# -- CTs ---------------------------------------------------------------------------------------------------------------


def _cards_of(entries: Sequence[CtEntry], count: int, pictures: Pictures, none: str) -> list[str]:
    """``count``: with those that have no room for a card."""
    more = count - len(entries)
    lines = paragraphs([f"{more} more are in the table of all CTs."]) if more else []
    return [cards(entries, pictures), *lines] if count else paragraphs([none])


def _warnings(entries: Sequence[CtEntry]) -> list[str]:
    found = warning_table(entries)
    return ["<h3>Warnings</h3>", found] if found else []


def _row(entry: CtEntry, has_card: bool) -> Sequence[str]:
    state = "done" if entry.error is None else entry.error.code
    counts = [str(entry.levels[level] or "") for level in Level.FROM_WORST]
    slices = "" if entry.shape is None else str(entry.shape[0])
    spacing = (
        "" if entry.spacing_mm is None else " \N{MULTIPLICATION SIGN} ".join(f"{mm:.3g}" for mm in entry.spacing_mm)
    )
    structures = str(entry.structures) if entry.is_segmented else ""
    seconds = f"{entry.seconds:.0f}" if entry.seconds else ""
    words = Markup("<br>".join(map(html, entry.warnings)))
    name = ct_link(entry.id) if has_card or not entry.is_segmented else ct_anchor(entry.id)
    agreement = "" if entry.agreement is None else percent_text(entry.agreement.foreground.value)
    return (name, state, structures, *counts, slices, spacing, seconds, agreement, words)


_ID_NOTE = (
    "A CT is called by the first 12 digits of the digest of its files, so that no patient is named here; its files are "
    "in the folder of that name, and only private/inputs.csv says where the CT came from."
)
_PICTURE_NOTE = (
    f"Pictures: window {WINDOW_LEVEL:.0f}/{WINDOW_WIDTH:.0f} HU; R is the patient's right. Left: the coronal plane "
    "that shows most structures. Right: an axial one or, where there is a remark with a place, the plane through the "
    "place of the most serious one, which is ringed. Structures with remarks of the most serious kind are bold."
)
