"""The commands ``export`` and ``compare``; part of the engine's command line, they need no torch and no model."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire.command.command_run import CommandRun, run_files_of
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportFinishedEvent, ExportStep
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.export.compare.comparison import compare
from TotalSegmentatorEngine.export.compare.pairing import read_pairs
from TotalSegmentatorEngine.export.compare.table import comparison_page, write_comparison
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference, reference_volume
from TotalSegmentatorEngine.export.export_job import ExportResult, export
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation, place
from TotalSegmentatorEngine.export.order import ExportOrder, check_order, check_outputs
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sources.source import ExportSource, source_of_files, source_of_transfer
from TotalSegmentatorEngine.export.sources.structures import Warn, read_structures
from TotalSegmentatorEngine.imaging.reading import is_dicom
from TotalSegmentatorEngine.job.result_file import result_segments

if TYPE_CHECKING:
    from TotalSegmentatorEngine.imaging.reading import ReadInput
    from TotalSegmentatorEngine.job.reporting import JobReporter
    from TotalSegmentatorEngine.job.task import SegmentationResult

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace, problem_of: Callable[[BaseException], Problem]) -> int:
    """Runs one command; returns the exit status."""
    _check_files(options)
    command_run = CommandRun(EXPORT_JOB, run_files_of(options), Terminal(), problem_of)
    reporter = ExportReporter(command_run.emit, command_run.is_cancelled)
    command = {"export": _export, "compare": _compare}[options.command]
    printed: list[str] = []
    status = command_run.run(lambda: command(options, reporter, printed))
    if status == 0:
        print("\n".join(printed))
    return status


# -- export ------------------------------------------------------------------------------------------------------------


def _export(options: argparse.Namespace, reporter: ExportReporter, printed: list[str]) -> ExportFinishedEvent:
    order = order_of(options, options.to)
    check_order(order)
    reporter.progress(ExportStep.READING, 0.0)
    if options.transferred is not None:
        source = source_of_transfer(options.transferred)
    else:
        source = source_of_files(options.segmentation, options.reference, options.labels, reporter.warning)
    return finish(export(order, source, reporter), printed)


def order_of(options: argparse.Namespace, format_id: str) -> ExportOrder:
    """What ``export`` and ``segment --export`` were asked for; the latter has some of the options only."""
    given = vars(options)
    return ExportOrder(
        format=format_id,
        output=options.output,
        structures=options.structures,
        states=given.get("states"),
        template=options.template,
        names=options.names,
        external=options.external,
        label=options.set_label,
        holes=options.holes,
        smooth_contours=given.get("smooth_contours", False),
        smallest_island_mm2=given.get("smallest_island", 0.0) if options.command == "export" else 0.0,
        encoding=options.encoding,
        space=options.space,
    )


def finish(result: ExportResult, printed: list[str]) -> ExportFinishedEvent:
    """The last event; ``printed`` gets what the terminal says of it."""
    _log.info("%d structures exported in %.1f s", result.structures, result.seconds)
    noun = "structure" if result.structures == 1 else "structures"
    printed.append(f"{result.structures} {noun} exported in {result.seconds:.1f} s.")
    if result.edited:
        printed.append(f"{len(result.edited)} of them were edited since they were segmented.")
    files = [str(path.absolute()) for path in result.files]
    printed += [f"Written: {file}" for file in files]
    return ExportFinishedEvent(files, result.structures, result.edited, round(result.seconds, 3))


def _check_files(options: argparse.Namespace) -> None:
    """Raises SegmentationError: EXPORT_WOULD_OVERWRITE, EXPORT_SUFFIX."""
    inputs = [options.transferred, options.reference]
    outputs = {"log": options.log, "file of events": options.events}
    if options.command == "compare":
        if options.csv is not None and options.csv.suffix.lower() != ".csv":
            raise SegmentationError("EXPORT_SUFFIX", format="csv", suffixes=".csv")
        inputs += [vars(options).get("ours"), options.theirs, options.pairs]
        check_outputs(outputs | {"table": options.csv}, inputs)
        return
    order = order_of(options, options.to)
    template = Path(options.template) if options.template is not None else None
    inputs += [vars(options).get("segmentation"), template]
    check_outputs(outputs | {"output": None if order.is_into_folder else order.output, "table": order.table}, inputs)
    if order.table is not None and order.table.exists() and not order.output.exists():
        raise SegmentationError("EXPORT_WOULD_OVERWRITE", file="table")


# -- segment --export --------------------------------------------------------------------------------------------------


def export_result(
    order: ExportOrder, result: SegmentationResult, ct: ReadInput, input_path: Path, reporter: JobReporter
) -> ExportResult:
    """Exports what ``segment`` has just found in the CT of ``input_path``."""
    reference = read_reference(input_path) if is_dicom(input_path) else None
    segments = []
    for segment in result_segments(result, ct.series_instance_uid):
        row = structure_of(segment.id, segment.name, segment.tags)
        segments.append(Segment(segment.id, segment.name, segment.colour, 0, segment.label, segment.tags, row))
    segmentation = Segmentation(tuple(segments), (Layer(result.labels, ct.volume.geometry),))
    volume = (lambda: ct.volume) if reference is None else (lambda: reference_volume(reference))
    source = ExportSource(segmentation, reference, ct.volume.geometry, volume)
    return export(order, source, _InsideJob(reporter))


def check_before_job(order: ExportOrder, input_path: Path) -> None:
    """Tells before a job what would make the export of its result fail.

    Raises SegmentationError: what ``check_order`` and ``read_reference`` raise, EXPORT_NOT_DICOM,
    EXPORT_WOULD_OVERWRITE.
    """
    check_order(order)
    check_outputs({"output": None if order.is_into_folder else order.output, "table": order.table}, [input_path])
    if not order.kind.is_dicom or not input_path.exists():
        return
    if is_dicom(input_path):
        read_reference(input_path)
    elif not order.is_into_folder:
        raise SegmentationError("EXPORT_NOT_DICOM")


class _InsideJob(ExportReporter):
    """The export as the last stage of a job: its warnings are the job's."""

    def __init__(self, job: JobReporter) -> None:
        super().__init__()
        self._job = job

    def progress(self, step: str, fraction: float, item: str = "") -> None:
        self._job.progress(Stage.WRITING, fraction)

    def warning(self, problem: Problem) -> None:
        self._job.warning(problem)

    def check_cancelled(self) -> None:
        self._job.check_cancelled()


# -- compare -----------------------------------------------------------------------------------------------------------


def _compare(options: argparse.Namespace, reporter: ExportReporter, printed: list[str]) -> ExportFinishedEvent:
    started = time.monotonic()
    reporter.progress(ExportStep.READING, 0.0)
    pairs = read_pairs(options.pairs) if options.pairs is not None else ()
    ours, reference = _our_side(options, reporter.warning)
    reporter.progress(ExportStep.READING, 0.1)
    theirs = _structures(options.theirs, reference, options.labels, reporter.warning)

    def tell(done: int, count: int, name: str) -> None:
        reporter.progress(ExportStep.MEASURING, 0.2 + 0.8 * done / max(count, 1), name)

    rows = compare(ours, theirs, reference.grid, pairs, reference.plane_distances, tell)
    printed.append(comparison_page(rows))
    files = []
    if options.csv is not None:
        write_comparison(options.csv, rows)
        files.append(str(options.csv.absolute()))
    return ExportFinishedEvent(files, sum(row.is_paired for row in rows), [], round(time.monotonic() - started, 3))


NamedVoxels = tuple[str, VoxelMask | Callable[[], VoxelMask]]


def _our_side(options: argparse.Namespace, warn: Warn) -> tuple[list[NamedVoxels], ReferenceSeries]:
    if options.transferred is None:
        reference = read_reference(options.reference)
        return _structures(options.ours, reference, options.labels, warn), reference
    source = source_of_transfer(options.transferred)
    if source.reference is None:
        raise SegmentationError("EXPORT_NOT_DICOM")
    return _named_voxels(place(source.aligned(), source.grid)), source.reference


def _structures(path: Path, reference: ReferenceSeries, labels: str | None, warn: Warn) -> list[NamedVoxels]:
    """Names and voxels on the reference's grid."""
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    if is_dicom(path):
        return [(structure.name, structure.mask) for structure in read_structures(path, reference, warn)]
    source = source_of_files(path, None, labels, warn)
    aligned = dataclasses.replace(source, reference=reference).aligned()
    return _named_voxels(place(aligned, reference.grid))


def _named_voxels(placed: PlacedSegmentation) -> list[NamedVoxels]:
    filled = [segment for segment in placed.segments if placed.box(segment) is not None]
    return [(segment.name, lambda segment=segment: placed.mask(segment)) for segment in filled]
