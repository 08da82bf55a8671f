"""The commands ``export`` and ``compare``; part of the engine's command line, they need no torch and no model."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire.command.command_run import CommandRun, RunFiles
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent, ExportStep
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.structures import LABEL_TABLES

from TotalSegmentatorEngine.ct_input.reading import is_dicom
from TotalSegmentatorEngine.export.arguments import CompareOptions, ExportOptions
from TotalSegmentatorEngine.export.compare.comparison import compare
from TotalSegmentatorEngine.export.compare.pairing import read_pairs
from TotalSegmentatorEngine.export.compare.table import comparison_page, write_comparison
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reference_series import (
    ReferenceSeries,
    check_identifiers,
    read_reference,
    reference_volume,
)
from TotalSegmentatorEngine.export.disk_need import check_disk_for_export
from TotalSegmentatorEngine.export.export_job import ExportResult, export
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation, place
from TotalSegmentatorEngine.export.order import ExportOrder, check_order, check_outputs
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sources.label_images import needs_table
from TotalSegmentatorEngine.export.sources.referenced_series import choice_for
from TotalSegmentatorEngine.export.sources.source import ExportSource, source_of_files, source_of_transfer
from TotalSegmentatorEngine.export.sources.structures import Warn, read_structures
from TotalSegmentatorEngine.imaging.atomic_file import check_disk_space
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.result_file import result_segments
from TotalSegmentatorEngine.series_selection.series_choice import ANY_SERIES, SelectedSeries, SeriesChoice

if TYPE_CHECKING:
    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.job.reporting import JobReporter
    from TotalSegmentatorEngine.job.task import SegmentationResult

_log = logging.getLogger(__name__)


def run(options: ExportOptions | CompareOptions) -> int:
    """Runs one command; returns the exit status."""
    command_run = CommandRun(EXPORT_JOB, options.files, Terminal(), problem_of)
    reporter = ExportReporter(command_run.emit, command_run.is_cancelled)
    printed: list[str] = []
    if isinstance(options, ExportOptions):
        _check_export_files(options)
        status = command_run.run(lambda: _export(options, reporter, printed))
    else:
        _check_compare_files(options)
        status = command_run.run(lambda: _compare(options, reporter, printed))
    if status == 0:
        print("\n".join(printed))
    return status


# -- export ------------------------------------------------------------------------------------------------------------


def _export(options: ExportOptions, reporter: ExportReporter, printed: list[str]) -> ExportFinishedEvent:
    check_order(options.order)
    reporter.progress(ExportStep.READING, 0.0)
    source, warnings = _source(options, reporter)
    result = export(options.order, source, reporter)
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
    """Raises SegmentationError: what ``check_outputs`` raises."""
    order = options.order
    template = Path(order.template) if order.template is not None else None
    inputs = [options.transferred, options.reference, options.segmentation, template, _table_file(options.labels)]
    check_outputs(_run_outputs(options.files) | {"output": order.output, "table": order.table}, inputs)
    if order.table is not None and order.table.exists() and not order.output.exists():
        raise SegmentationError("EXPORT_WOULD_OVERWRITE", file="table")


def _table_file(labels: str | None) -> Path | None:
    """The user's own table of label values."""
    return None if labels is None or labels in LABEL_TABLES else Path(labels)


def _run_outputs(files: RunFiles) -> dict[str, Path | None]:
    return {"log": files.log, "events file": files.events}


# -- segment --export --------------------------------------------------------------------------------------------------


def export_result(
    order: ExportOrder,
    result: SegmentationResult,
    ct: ReadInput,
    source: tuple[Path, SeriesChoice],
    reporter: JobReporter,
) -> ExportResult:
    """Exports what ``segment`` has just found in the CT of ``source``: its path, and which series of it."""
    reference = read_reference(*source) if is_dicom(source[0]) else None
    segments = []
    for segment in result_segments(result, ct.series_instance_uid):
        row = structure_of(segment.id, segment.name, segment.tags)
        segments.append(Segment(segment.id, segment.name, segment.colour, 0, segment.label, segment.tags, row))
    segmentation = Segmentation(tuple(segments), (Layer(result.labels, ct.volume.geometry),))
    volume = (lambda: ct.volume) if reference is None else (lambda: reference_volume(reference))
    found = ExportSource(segmentation, reference, ct.volume.geometry, volume)
    exported = export(order, found, _InsideJob(reporter))
    for warning in exported.warnings:
        reporter.warning(warning)
    return exported


def check_before_job(order: ExportOrder, input_path: Path, choice: SeriesChoice = ANY_SERIES) -> None:
    """Refuses before a job what would make the export of its result fail.

    Raises SegmentationError: what ``check_order``, ``check_outputs`` and ``read_reference`` raise, EXPORT_NOT_DICOM,
    DISK_FULL where there is no room for anything.
    """
    check_outputs({"output": order.output, "table": order.table}, [input_path])
    check_order(order)
    check_disk_space(order.output.parent, 0)
    if not order.kind.is_dicom or not input_path.exists():
        return
    if is_dicom(input_path):
        check_identifiers(read_reference(input_path, choice))
    elif not order.is_into_folder:
        raise SegmentationError("EXPORT_NOT_DICOM")


def check_disk_before_job(order: ExportOrder, input_path: Path, shape: tuple[int, int, int]) -> None:
    """``shape`` (k, j, i): that of the CT in ``input_path``. Raises SegmentationError("DISK_FULL")."""
    check_disk_for_export(order, shape, is_dicom(input_path))


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
    reporter.progress(ExportStep.READING, 0.0)
    pairs = read_pairs(options.pairs) if options.pairs is not None else ()
    ours, reference = _our_side(
        options, reporter.warning, lambda selected: _report(selected, reporter.note, reporter.warning)
    )
    reporter.progress(ExportStep.READING, 0.1)
    theirs = _structures(options.theirs, reference, _labels_of(options.theirs, options), reporter.warning)

    def report(done: int, count: int, name: str) -> None:
        reporter.progress(ExportStep.MEASURING, 0.2 + 0.8 * done / max(count, 1), name)

    rows = compare(ours, theirs, reference.grid, pairs, reference.plane_distances, report)
    printed.append(comparison_page(rows))
    files = []
    if options.csv is not None:
        write_comparison(options.csv, rows)
        files.append(str(options.csv.absolute()))
    return ExportFinishedEvent(files, sum(row.is_paired for row in rows), [], round(time.monotonic() - started, 3))


NamedVoxels = tuple[str, VoxelMask | Callable[[], VoxelMask]]


def _our_side(
    options: CompareOptions, warn: Warn, report: Callable[[SelectedSeries], None]
) -> tuple[list[NamedVoxels], ReferenceSeries]:
    if options.transferred is None:
        choice = choice_for([options.ours, options.theirs], options.series)
        reference = read_reference(options.reference, choice, report)
        return _structures(options.ours, reference, _labels_of(options.ours, options), warn), reference
    source = source_of_transfer(options.transferred)
    if source.reference is None:
        raise SegmentationError("EXPORT_NOT_DICOM")
    return _named_voxels(place(source.aligned(), source.grid)), source.reference


def _labels_of(path: Path, options: CompareOptions) -> str | None:
    """The chosen table is for the side that does not say itself what its label values mean, if there is one."""
    sides = [side for side in (options.ours, options.theirs) if side is not None]
    nameless = [side for side in sides if needs_table(side)]
    return options.labels if path in nameless or not nameless else None


def _structures(path: Path, reference: ReferenceSeries, labels: str | None, warn: Warn) -> list[NamedVoxels]:
    """Names and voxels on the reference's grid."""
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    if is_dicom(path):
        structures, _left_out = read_structures(path, reference, warn)
        return [(structure.name, structure.mask) for structure in structures]
    source = source_of_files(path, None, labels, warn)
    aligned = dataclasses.replace(source, reference=reference).aligned()
    return _named_voxels(place(aligned, reference.grid))


def _named_voxels(placed: PlacedSegmentation) -> list[NamedVoxels]:
    filled = [segment for segment in placed.segments if placed.box(segment) is not None]
    return [(segment.name, lambda segment=segment: placed.mask(segment)) for segment in filled]
