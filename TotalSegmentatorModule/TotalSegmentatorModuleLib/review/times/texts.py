"""The words about times of the review."""

from __future__ import annotations

import html
from collections.abc import Mapping

from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.review_rules import shown_name

from TotalSegmentatorModuleLib.review.times.totals import OTHERS

_LONGEST = 3
"""Named in the summary."""
_COLUMNS = 3
"""Of the tool tip: a hundred lines would not fit on a screen."""


def summary(seconds: Mapping[str, float]) -> str:
    """All reviews together, and the structures that took longest."""
    longest = [_("{structure} {minutes}").format(**line) for line in _lines(seconds)[:_LONGEST]]
    return _("{minutes} min in all reviews; longest: {longest}.").format(
        minutes=_minutes(sum(seconds.values())), longest=", ".join(longest)
    )


def details(seconds: Mapping[str, float]) -> str:
    """All structures in columns, as rich text of a tool tip."""
    lines = _lines(seconds)
    height = -(-len(lines) // _COLUMNS)
    rows = []
    for row in range(height):
        cells = []
        for line in lines[row::height]:
            name = html.escape(line["structure"]).replace(" ", "&nbsp;")  # a tool tip would break the lines
            cells.append("<td>{}</td>".format(name))
            cells.append("<td align='right'>&nbsp;{}&nbsp;&nbsp;&nbsp;</td>".format(line["minutes"]))
        rows.append("<tr>{}</tr>".format("".join(cells)))
    title = html.escape(_("Minutes for each structure, all reviews together"))
    return "<p>{}</p><table>{}</table>".format(title, "".join(rows))


def deletion_question() -> str:
    return _("Delete the times of all structures? They cannot be brought back.")


def _lines(seconds: Mapping[str, float]) -> list[dict[str, str]]:
    """The longest first."""
    ordered = sorted(seconds.items(), key=lambda item: (-item[1], item[0]))
    return [{"structure": _shown(name), "minutes": _minutes(length)} for name, length in ordered]


def _shown(name: str) -> str:
    return _("other structures") if name == OTHERS else shown_name(name)


def _minutes(seconds: float) -> str:
    return "{:.1f}".format(seconds / 60.0)
