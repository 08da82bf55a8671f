"""What reviews change of computed structures over time, as one file for browsers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.tables.review_rules import shown_name

from TotalSegmentatorEngine.export.edits.plots import rate_lines, rate_map
from TotalSegmentatorEngine.export.edits.table import EditRow
from TotalSegmentatorEngine.export.edits.trend import (
    LARGEST_CHANCE,
    RECENT_MONTHS,
    SMALLEST_RISE,
    Rate,
    StructureTrend,
    months_of,
    rate_of,
    trends,
)
from TotalSegmentatorEngine.export.page.html_parts import document, paragraphs, table

TITLE = "Changes made in reviews"
_STYLE = "svg { width: 100%; height: auto; display: block; }"
_HEADS = (
    "Structure",
    "judged",
    "changed",
    "rate",
    "before",
    f"last {RECENT_MONTHS} months",
    "Dice",
    "volume ml",
    "APL cm",
)


def edits_page(rows: Sequence[EditRow], today: date) -> str:
    """``rows`` is not empty."""
    months, found = months_of(rows), trends(rows)
    rising = [each for each in found if each.is_rising(months)]
    changed = [each for each in found if each.rate.changed]
    body = [
        f"<h1>{TITLE}</h1>",
        *paragraphs(_introduction(rows, months, today)),
        "<h2>Rising rates</h2>",
        *_rising(rising, months),
        rate_lines(rows, rising, months),
        "<h2>Models and versions</h2>",
        _versions(rows),
        "<h2>Structures</h2>",
        table(_HEADS, [_structure_row(each, months) for each in found], frozenset(_HEADS[1:])),
        *paragraphs([_TABLE_NOTE], "small"),
    ]
    if changed:
        body += ["<h2>By month</h2>", rate_map(changed, months), *paragraphs([_MAP_NOTE], "small")]
    return document(TITLE, _STYLE, [*body, *paragraphs(_NOTES, "small")])


def _introduction(rows: Sequence[EditRow], months: Sequence[str], today: date) -> list[str]:
    reviews, rate = len({row.review for row in rows}), rate_of(rows)
    span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
    return [
        f"{ALGORITHM_NAME} {ENGINE_VERSION}, {today.isoformat()}.",
        f"{reviews} reviews, {span}: {rate.changed} of {rate.judged} judged structures changed ({_percent(rate)}).",
    ]


def _rising(rising: Sequence[StructureTrend], months: Sequence[str]) -> list[str]:
    if not rising:
        return paragraphs(["The rate of no structure is rising."])
    heads = ("Structure", "before", f"last {RECENT_MONTHS} months")
    rows = [(shown_name(each.structure), *map(_counted, each.recent(months))) for each in rising]
    return [table(heads, rows, frozenset(heads[1:])), *paragraphs([_RISING_NOTE], "small")]


def _versions(rows: Sequence[EditRow]) -> str:
    heads = ("Model", "version", "months", "reviews", "judged", "changed", "rate")
    found: dict[tuple[str, str], list[EditRow]] = {}
    for row in rows:
        found.setdefault((row.model, row.version), []).append(row)
    lines = []
    for (model, version), own in sorted(found.items(), key=lambda item: min(row.month for row in item[1])):
        rate, months = rate_of(own), months_of(own)
        span = months[0] if len(months) == 1 else f"{months[0]} to {months[-1]}"
        reviews = len({row.review for row in own})
        lines.append((model, version, span, str(reviews), str(rate.judged), str(rate.changed), _percent(rate)))
    return table(heads, lines, frozenset(heads[3:]))


def _structure_row(each: StructureTrend, months: Sequence[str]) -> Sequence[str]:
    before, last = each.recent(months)
    return (
        shown_name(each.structure),
        str(each.rate.judged),
        str(each.rate.changed),
        _percent(each.rate),
        _percent(before),
        _percent(last),
        _median(each, lambda row: row.dice, ".3f"),
        _median(each, lambda row: row.difference_ml, "+.2f"),
        _median(each, lambda row: None if row.added_path_mm is None else row.added_path_mm / 10, ".1f"),
    )


def _median(each: StructureTrend, value: Callable[[EditRow], float | None], form: str) -> str:
    found = each.median(value)
    return "" if found is None else format(found, form)


def _percent(rate: Rate) -> str:
    return "" if rate.share is None else f"{100 * rate.share:.0f} %"


def _counted(rate: Rate) -> str:
    return f"{rate.changed} of {rate.judged} ({_percent(rate)})"


_RISING_NOTE = (
    f"The last {RECENT_MONTHS} months with reviews against all before: higher by {100 * SMALLEST_RISE:.0f} percentage "
    f"points at least, and by chance in fewer than {100 * LARGEST_CHANCE:.0f} of 100 structures (Fisher's exact test). "
    "A new scanner, protocol, model or reviewer can be the reason; look at such cases."
)
_TABLE_NOTE = (
    "judged: approved, edited, marked for later or rejected in a review. changed: edited, rejected or removed. Dice, "
    "volume and APL (added path length): medians over the edits, against what the model computed."
)
_MAP_NOTE = "Changed of judged, for the structures that were changed at all; the darker, the higher the rate."
_NOTES = (
    "Made from the review sheets for which the edits were kept; a later sheet of a result replaces the former one. No "
    "patient, user, day or time is kept.",
    "For research use; not a medical device.",
)
