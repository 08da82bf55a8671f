"""The commands ``export`` and ``compare``; part of the engine's command line, they need no torch and no model."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire.command.command_run import CommandRun, RunFiles
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent, ExportStep
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.structures import LABEL_TABLES

from TotalSegmentatorEngine.ct_input.reading import is_dicom
from TotalSegmentatorEngine.export.arguments import CohortOptions, CompareOptions, ExportOptions
from TotalSegmentatorEngine.export.cohort_command import check_cohort_files, compare_pairs
from TotalSegmentatorEngine.export.compare.table import comparison_page, write_comparison
from TotalSegmentatorEngine.export.compare_job import compare_sides
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, check_identifiers, read_reference
from TotalSegmentatorEngine.export.disk_need import check_disk_for_export
from TotalSegmentatorEngine.export.export_job import ExportResult, export
from TotalSegmentatorEngine.export.order import ExportOrder, check_companions, check_order, check_outputs
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sources.source import (
    ExportSource,
    FindFlags,
    source_of_files,
    source_of_transfer,
)
from TotalSegmentatorEngine.export.sources.structures import Warn
from TotalSegmentatorEngine.imaging.atomic_file import check_disk_space
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.flag_file import flag_file_beside
from TotalSegmentatorEngine.job.result_file import result_segments
from TotalSegmentatorEngine.series_selection.series_choice import (
    ANY_SERIES,
    Select,
    SelectedSeries,
    SeriesChoice,
    select_series,
)

if TYPE_CHECKING:
    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.job.reporting import JobReporter
    from TotalSegmentatorEngine.job.task import SegmentationResult

SOME_FAILED = 1
"""Exit status where some of many pairs could not be compared."""

_log = logging.getLogger(__name__)


def run(options: ExportOptions | CompareOptions | CohortOptions, find_flags: FindFlags | None = None) -> int:
    """Runs one command; returns the exit status. ``find_flags``: how a review sheet's segmentation is checked."""
    command_run = CommandRun(EXPORT_JOB, options.files, Terminal(), problem_of)
    reporter = ExportReporter(command_run.emit, command_run.is_cancelled)
    printed: list[str] = []
    failed: list[str] = []
    if isinstance(options, ExportOptions):
        _check_export_files(options)
        status = command_run.run(lambda: _export(options, find_flags, reporter, printed))
    elif isinstance(options, CohortOptions):
        check_cohort_files(options)
        status = command_run.run(lambda: compare_pairs(options, reporter, printed, failed))
    else:
        _check_compare_files(options)
        status = command_run.run(lambda: _compare(options, reporter, printed))
    if status == 0:
        print("\n".join(printed))
    return SOME_FAILED if status == 0 and failed else status


# -- export ------------------------------------------------------------------------------------------------------------


def _export(
    options: ExportOptions, find_flags: FindFlags | None, reporter: ExportReporter, printed: list[str]
) -> ExportFinishedEvent:
    check_order(options.order)
    if options.computed is not None and not options.order.kind.is_sheet:
        raise SegmentationError("EXPORT_FORMAT_MISMATCH", option="--computed", format=options.order.format)
    reporter.progress(ExportStep.READING, 0.0)
    source, warnings = _source(options, reporter)
    result = export(options.order, dataclasses.replace(source, find_flags=find_flags), reporter)
    for warning in [*warnings, *result.warnings]:
        reporter.warning(warning)
    return finish(result, printed)


def _source(options: ExportOptions, reporter: ExportReporter) -> tuple[ExportSource, list[Problem]]:
    """What is exported, and the warnings about reading it. Where it cannot be read at all, these say why and are
    reported; where the export is refused later, they would speak of structures that nobody gets."""
    if options.transferred is not None:
        return source_of_transfer(options.transferred), []
    warnings: list[Problem] = []
    try:
        source = source_of_files(
            options.segmentation,
            options.reference,
            options.labels,
            warnings.append,
            options.series,
            lambda selected: _report(selected, reporter.note, warnings.append),
            options.computed,
        )
    except SegmentationError:
        for warning in warnings:
            reporter.warning(warning)
        raise
    return source, warnings


def _report(selected: SelectedSeries, note: Callable[[str], None], warn: Warn) -> None:
    note(f"CT: {selected.note}")
    for warning in selected.warnings:
        warn(warning)


def finish(result: ExportResult, printed: list[str]) -> ExportFinishedEvent:
    """The last event; ``printed`` gets what the terminal says of it."""
    _log.info("%d structures exported in %.1f s", result.structures, result.seconds)
    noun = "structure" if result.structures == 1 else "structures"
    printed.append(f"{result.structures} {noun} exported in {result.seconds:.1f} s.")
    if result.edited:
        printed.append(f"Edited since they were segmented: {len(result.edited)}.")
    files = [str(path.absolute()) for path in result.files]
    printed += [f"Written: {file}" for file in files]
    return ExportFinishedEvent(files, result.structures, result.edited, round(result.seconds, 3))


def _check_export_files(options: ExportOptions) -> None:
    """Raises SegmentationError: what ``check_outputs`` and ``check_companions`` raise."""
    order = options.order
    template = Path(order.template) if order.template is not None else None
    inputs = [options.transferred, options.reference, options.segmentation, template, _table_file(options.labels)]
    inputs += [order.seg, options.computed]
    if order.kind.is_sheet and options.segmentation is not None:
        inputs.append(flag_file_beside(options.segmentation))
    check_outputs(_run_outputs(options.files) | {"output": order.output, **order.companions}, inputs)
    check_companions(order)


def _table_file(labels: str | None) -> Path | None:
    """The user's own table of label values."""
    return None if labels is None or labels in LABEL_TABLES else Path(labels)


def _run_outputs(files: RunFiles) -> dict[str, Path | None]:
    return {"log": files.log, "events file": files.events}


# -- segment --export --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CtPlace:
    """Where a job's CT is: its path, and which series of it. ``select`` may remember what it has selected."""

    path: Path
    choice: SeriesChoice = ANY_SERIES
    select: Select = select_series

    def reference(self) -> ReferenceSeries:
        """Raises what ``read_reference`` raises."""
        return read_reference(self.path, self.choice, select=self.select)


def export_result(
    order: ExportOrder,
    result: SegmentationResult,
    ct: ReadInput,
    source: CtPlace,
    reporter: JobReporter,
) -> ExportResult:
    """Exports what ``segment`` has just found in ``ct``, which it has read from ``source``."""
    reference = source.reference() if is_dicom(source.path) else None
    segments = []
    for segment in result_segments(result, ct.series_instance_uid):
        row = structure_of(segment.id, segment.name, segment.tags)
        segments.append(
            Segment(segment.id, segment.name, segment.colour, segment.layer, segment.label, segment.tags, row)
        )
    layers = tuple(Layer(labels, ct.volume.geometry) for labels in result.layers)
    segmentation = Segmentation(tuple(segments), layers)
    # a job's CT has regular slices, so it lies on the series' grid
    found = ExportSource(segmentation, reference, ct.volume.geometry, lambda: ct.volume, flags=result.flags)
    exported = export(order, found, _InsideJob(reporter))
    for warning in exported.warnings:
        reporter.warning(warning)
    return exported


def check_before_job(order: ExportOrder, source: CtPlace) -> None:
    """Refuses before a job what would make the export of its result fail.

    Raises SegmentationError: what ``check_order``, ``check_outputs``, ``check_companions`` and ``read_reference``
    raise, EXPORT_NOT_DICOM, DISK_FULL where there is no room for anything.
    """
    check_outputs({"output": order.output, **order.companions}, [source.path])
    check_companions(order)
    check_order(order)
    check_disk_space(order.output.parent, 0)
    if not order.kind.is_dicom or not source.path.exists():
        return
    if is_dicom(source.path):
        check_identifiers(source.reference())
    elif not order.is_into_folder:
        raise SegmentationError("EXPORT_NOT_DICOM")


def check_disk_before_job(order: ExportOrder, input_path: Path, shape: tuple[int, int, int], layers: int = 1) -> None:
    """``shape`` (k, j, i): that of the CT in ``input_path``; ``layers``: most that the result may have. Raises
    SegmentationError("DISK_FULL")."""
    check_disk_for_export(order, shape, is_dicom(input_path), layers)


class _InsideJob(ExportReporter):
    """The export as the last stage of a job."""

    def __init__(self, job: JobReporter) -> None:
        super().__init__()
        self._job = job

    def progress(self, step: str, fraction: float, item: str = "") -> None:
        self._job.progress(Stage.WRITING, fraction)

    def check_cancelled(self) -> None:
        self._job.check_cancelled()


# -- compare -----------------------------------------------------------------------------------------------------------


def _check_compare_files(options: CompareOptions) -> None:
    """Raises SegmentationError: EXPORT_WOULD_OVERWRITE, EXPORT_SUFFIX."""
    if options.csv is not None and options.csv.suffix.lower() != ".csv":
        raise SegmentationError("EXPORT_SUFFIX", format="csv", suffixes=".csv")
    tables = [options.pairs, _table_file(options.labels)]
    inputs = [options.transferred, options.reference, options.ours, options.theirs, *tables]
    check_outputs(_run_outputs(options.files) | {"table": options.csv}, inputs)


def _compare(options: CompareOptions, reporter: ExportReporter, printed: list[str]) -> ExportFinishedEvent:
    started = time.monotonic()
    rows = compare_sides(options, reporter, lambda selected: _report(selected, reporter.note, reporter.warning))
    printed.append(comparison_page(rows))
    files = []
    if options.csv is not None:
        write_comparison(options.csv, rows)
        files.append(str(options.csv.absolute()))
    return ExportFinishedEvent(files, sum(row.is_paired for row in rows), [], round(time.monotonic() - started, 3))
