"""CT numbers that the tissue cannot have, and metal beside a structure."""

from __future__ import annotations

from collections.abc import Iterator

from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.review_thresholds import threshold
from TotalSegmentatorWire.tables.usual_ranges import hu_ranges

from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.measures.metal import metal_near
from TotalSegmentatorEngine.statistics.structure_statistics import mean_of

_TEETH = ("face", "skull")
"""They hold teeth, whose enamel and fillings are as dense as metal."""


def mean_hu(findings: Findings) -> Iterator[Flag]:
    ranges = hu_ranges()
    for finding in findings.asked:
        if finding.name not in ranges or findings.ct is None or finding.volume_ml < threshold("hounsfield_ml"):
            continue
        mean = mean_of(finding.hu)
        if not ranges[finding.name].holds(mean):
            numbers = {"mean_hu": round(mean), "usual_hu": ranges[finding.name].text()}
            yield Flag("mean_hu", Level.CHECK, finding.name, (), findings.middle(finding), numbers)


def metal(findings: Findings) -> Iterator[Flag]:
    for name, near in metal_near(findings).items():
        share = near.voxels / findings[name].voxels
        is_inside = near.inside * findings.voxel_ml >= threshold("metal_ml")
        if name in _TEETH or not (is_inside or share >= threshold("metal_share")):
            continue
        numbers = {
            "distance_mm": rounded(threshold("metal_near_mm")),
            "share": rounded(100 * share),
            "inside_ml": rounded(near.inside * findings.voxel_ml),
        }
        yield Flag("metal", Level.CHECK, name, (), tuple(near.place_ras_mm), numbers)
