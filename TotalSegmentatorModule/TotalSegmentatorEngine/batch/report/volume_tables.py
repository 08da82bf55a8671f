"""The volumes of structures over all CTs in figures, each extreme with a link to its CT."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from TotalSegmentatorWire.tables.review_rules import shown_name
from TotalSegmentatorWire.tables.usual_ranges import volume_ranges

from TotalSegmentatorEngine.batch.report.contents import StructureVolumes
from TotalSegmentatorEngine.batch.report.failures import ct_link
from TotalSegmentatorEngine.batch.report.volume_plots import volume_plot
from TotalSegmentatorEngine.export.page.html_parts import Markup, html, paragraphs, table
from TotalSegmentatorEngine.export.page.structure_groups import by_group
from TotalSegmentatorEngine.export.sheet.words import range_text, volume_text

_HEADS = ("Structure", "CTs", "cut", "median ml", "quartiles", "lowest", "highest", "published", "outliers")
_OUTLIER_HEADS = ("Structure", "ml", "times the median", "median ml", "CT")
_MOST_OUTLIERS = 30
_NOTE = (
    "Only CTs in which the structure is whole; cut: in how many more the scan ends within it. A point is a CT and "
    "leads to it. Boxes (from five CTs on) reach from the lower to the upper quartile, the line is the median, "
    "whiskers end at the last value within 1.5 times the box, on the logarithmic scale; with many CTs, only the "
    "outliers beyond are points. Red line: volumes of adults as published; an open end has no mark."
)


FEWEST_FOR_PLOTS = 3
"""CTs: fewer have no distribution, and are in the figures."""


def volume_sections(volumes: Sequence[StructureVolumes]) -> list[str]:
    """One plot for each group, and all figures as a table that opens on a click."""
    whole = [each for each in volumes if each.volumes_ml]
    if not whole:
        return paragraphs(["No structure is whole in any CT."])
    lines = _plots(whole) if max(len(each.volumes_ml) for each in whole) >= FEWEST_FOR_PLOTS else []
    ordered = [each for some in by_group(volumes, lambda each: each.name).values() for each in some]
    figures = table(_HEADS, map(_row, ordered), frozenset(_HEADS[1:]))
    return [*lines, f'<details class="wide"><summary>Figures of all structures</summary>{figures}</details>']


def _plots(whole: Sequence[StructureVolumes]) -> list[str]:
    plots = [
        f'<div class="plot"><h3>{title}</h3>{volume_plot(shown)}</div>'
        for title, shown in by_group(whole, lambda each: each.name).items()
    ]
    return [*paragraphs([_NOTE], "small"), *plots]


def _row(each: StructureVolumes) -> Sequence[str]:
    published = range_text(volume_ranges().get(each.name))
    if not each.volumes_ml:
        return (shown_name(each.name), "0", str(each.cut), "", "", "", "", published, "")
    low, median, high = np.percentile(each.volumes_ml, [25, 50, 75])
    least, most = int(np.argmin(each.volumes_ml)), int(np.argmax(each.volumes_ml))
    return (
        shown_name(each.name),
        str(len(each.volumes_ml)),
        str(each.cut or ""),
        volume_text(median),
        f"{volume_text(low)}\N{EN DASH}{volume_text(high)}" if len(each.volumes_ml) > 1 else "",
        _link(each, least),
        _link(each, most),
        published,
        str(len(each.outliers) or ""),
    )


def _link(each: StructureVolumes, index: int) -> Markup:
    return Markup(f'<a href="#ct-{html(each.ids[index])}">{volume_text(each.volumes_ml[index])}</a>')


def outlier_table(volumes: Sequence[StructureVolumes]) -> str:
    """Over all structures, by their distance from the median in factors."""
    found = []
    for each in volumes:
        outliers = each.outliers
        median = float(np.median(each.logarithms)) if outliers else 0.0
        found += [(abs(each.logarithms[index] - median), each, index, median) for index in outliers]
    found.sort(key=lambda item: (-item[0], item[1].name, item[1].ids[item[2]]))
    if not found:
        return paragraphs(["No volume lies beyond the whiskers."])[0]
    rows = [
        (
            shown_name(each.name),
            volume_text(each.volumes_ml[index]),
            f"{10 ** (each.logarithms[index] - median):.2g}",
            volume_text(10**median),
            ct_link(each.ids[index]),
        )
        for _, each, index, median in found[:_MOST_OUTLIERS]
    ]
    more = len(found) - len(rows)
    note = f"<p>{more} more are points in the plots.</p>" if more else ""
    return table(_OUTLIER_HEADS, rows, frozenset(_OUTLIER_HEADS[1:4])) + note
