"""The command ``review``; it needs no torch and no model."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field

from TotalSegmentatorWire.command.command_run import CommandRun
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent, ExportStep
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.tables.review_rules import flags_to_json
from TotalSegmentatorWire.tables.structure_rows import known_names
from TotalSegmentatorWire.tables.structures import model_names

from TotalSegmentatorEngine.export.order import check_outputs
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sources.source import ExportSource, source_of_files, source_of_transfer
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.flag_file import write_flags
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.arguments import ReviewOptions
from TotalSegmentatorEngine.review.measure_file import write_measures
from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.printed_page import review_page
from TotalSegmentatorEngine.review.reading import HeldReview, findings_of_file, findings_of_source
from TotalSegmentatorEngine.series_selection.series_choice import SelectedSeries

_log = logging.getLogger(__name__)


def run(options: ReviewOptions) -> int:
    """Returns the exit status: 0 with and without flags."""
    command_run = CommandRun(EXPORT_JOB, options.files, Terminal(), problem_of)
    reporter = ExportReporter(command_run.emit, command_run.is_cancelled)
    outputs = {
        "log": options.files.log,
        "events file": options.files.events,
        "output": options.output,
        "measures": options.measures,
    }
    check_outputs(outputs, [options.transferred, options.reference, options.segmentation, options.coarse])
    reviewed = Reviewed()
    status = command_run.run(lambda: review_with(options, reporter, reviewed))
    if status == 0:
        print(flags_to_json(reviewed.flags) if options.json else review_page(reviewed.flags))
    return status


@dataclass
class Reviewed:
    """What came of it."""

    flags: list[Flag] = field(default_factory=list)
    findings: Findings | None = None


def review_with(
    options: ReviewOptions, reporter: ExportReporter, reviewed: Reviewed, held: HeldReview | None = None
) -> ExportFinishedEvent:
    """The command itself; fills ``reviewed``. ``held``: as for ``findings_of_source``. Raises SegmentationError."""
    started = time.monotonic()
    reporter.progress(ExportStep.READING, 0.0)
    only = None if options.structures is None else model_names(options.structures, sorted(known_names()))
    coarse = []
    if options.coarse is not None:
        coarse.append(findings_of_file(options.coarse, options.labels, reporter.warning))
    findings = reviewed.findings = findings_of_source(
        _source(options, reporter), coarse, reporter.warning, only, reporter.check_cancelled, held
    )
    reporter.progress(ExportStep.CHECKING, 0.4)
    flags = review(findings, lambda share: reporter.progress(ExportStep.CHECKING, 0.4 + 0.6 * share))
    reviewed.flags = flags
    files = []
    if options.output is not None:
        write_flags(options.output, flags)
        files.append(str(options.output.absolute()))
    if options.measures is not None:
        write_measures(options.measures, findings)
        files.append(str(options.measures.absolute()))
    _log.info("%d flags for %d structures", len(flags), len(findings))
    return ExportFinishedEvent(files, len(findings), [], round(time.monotonic() - started, 3))


def _source(options: ReviewOptions, reporter: ExportReporter) -> ExportSource:
    if options.transferred is not None:
        return source_of_transfer(options.transferred)

    def report(selected: SelectedSeries) -> None:
        reporter.note(f"CT: {selected.note}")
        for warning in selected.warnings:
            reporter.warning(warning)

    return source_of_files(
        options.segmentation, options.reference, options.labels, reporter.warning, options.series, report
    )
