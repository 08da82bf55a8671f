"""The command ``edits``."""

from __future__ import annotations

import time
from datetime import date

from TotalSegmentatorWire.command.command_run import CommandRun
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.command.text_table import text_table
from TotalSegmentatorWire.edits_file import delete_edits, edits_file
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent
from TotalSegmentatorWire.tables.review_rules import shown_name

from TotalSegmentatorEngine.export.edits.arguments import EditsOptions
from TotalSegmentatorEngine.export.edits.page import edits_page
from TotalSegmentatorEngine.export.edits.table import EditRow, read_edits
from TotalSegmentatorEngine.export.edits.trend import months_of, rate_of, trends
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, disk_errors
from TotalSegmentatorEngine.job.error_boundary import problem_of

_HEADS = ("Structure", "Judged", "Changed", "Rate", "")


def run(options: EditsOptions) -> int:
    """Returns the exit status."""
    printed: list[str] = []
    status = CommandRun(EXPORT_JOB, options.files, Terminal(), problem_of).run(lambda: _run(options, printed))
    if status == 0:
        print("\n".join(printed))
    return status


def _run(options: EditsOptions, printed: list[str]) -> ExportFinishedEvent:
    """Raises SegmentationError: EXPORT_SUFFIX, EDITS_NONE, EDITS_UNREADABLE, OUTPUT_NOT_WRITABLE, DISK_FULL."""
    started = time.monotonic()
    file = options.table or edits_file()
    if options.delete:
        with disk_errors(file.parent):
            delete_edits(file)
        printed.append("The table of edits is deleted.")
        return ExportFinishedEvent([], 0, [], 0.0)
    if options.report is not None and options.report.suffix.lower() != ".html":
        raise SegmentationError("EXPORT_SUFFIX", format="report", suffixes=".html")
    rows = read_edits(file)
    if not rows:
        raise SegmentationError("EDITS_NONE")
    files = []
    if options.report is None:
        printed.append(_page(rows))
    else:
        page = edits_page(rows, date.today()).encode("utf-8")
        with atomic_file(options.report, len(page)) as stream:
            stream.write(page)
        files.append(str(options.report.absolute()))
        printed.append(f"Written: {files[0]}")
    return ExportFinishedEvent(files, len(trends(rows)), [], round(time.monotonic() - started, 3))


def _page(rows: list[EditRow]) -> str:
    months, rate = months_of(rows), rate_of(rows)
    lines = [
        [
            shown_name(each.structure),
            str(each.rate.judged),
            str(each.rate.changed),
            f"{100 * each.rate.share:.0f} %",
            "rising" if each.is_rising(months) else "",
        ]
        for each in trends(rows)
    ]
    reviews = len({row.review for row in rows})
    said = f"{reviews} reviews; {rate.changed} of {rate.judged} judged structures were changed."
    return "\n\n".join([text_table(_HEADS, lines, right=_HEADS[1:4]), said])
