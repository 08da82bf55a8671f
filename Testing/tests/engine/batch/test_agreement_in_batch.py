"""What checks of approximate labels found over many CTs: lines, records, table and report."""

from __future__ import annotations

import csv
import dataclasses
import itertools

from agreements import GOOD, LOW
from batch_bench import BatchBench, segmented
from sheet_support import html_text
from TotalSegmentatorWire.messages.agreement import agreement_from_json


def test_it_stands_in_lines_records_table_and_report_and_a_threshold_segments_nothing_again(bench: BatchBench) -> None:
    for seed, name in enumerate(("a.nii.gz", "b.nii.gz", "c.nii.gz")):
        bench.image(name, seed)
    found = itertools.chain([GOOD, LOW], itertools.repeat(None))
    bench.find = lambda *arguments: dataclasses.replace(segmented(*arguments), agreement=next(found))
    run = bench()
    said = run.err + run.out
    assert "99.4 % (99.0 to 99.7 %) equal to exact labels" in said and "95.1 % (93.0 to 96.8 %)" in said

    kept = [each.agreement for each in run.outcomes.values()]
    assert kept.count(None) == 1 and {agreement_from_json(each) for each in kept if each} == {GOOD, LOW}

    with (run.folder / "structures.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    columns = [name for name in rows[0] if name.startswith(("agreement", "approximations"))]
    values = {tuple(row[name] for name in columns) for row in rows}
    assert len(columns) == 4 and len(values) == 3 and ("",) * 4 in values
    low = next(each for each in values if each[0].startswith("0.951"))
    assert float(low[1]) == 0.93 and float(low[2]) == 0.968 and "reduced" in low[3] and "crop" in low[3]

    page = " ".join(html_text(run.folder / "report.html").split())
    assert "approximate, checked against exact labels; least: 95.1 %" in page
    assert "1 of them below the agreement that was asked for" in page

    assert bench("--least-agreement", "0.9").segmented == 0
