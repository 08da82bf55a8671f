"""Reads one case and writes its files; what ``run_job`` calls."""

from __future__ import annotations

import logging
from pathlib import Path

from TotalSegmentatorWire.command.command_run import sentence_without_text
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.tables.export_formats import FORMATS

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.report.thumbnail import thumbnail_jpeg
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.store.batch_folder import EXPORTS, SEGMENTATION, THUMBNAIL
from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_input
from TotalSegmentatorEngine.export.commands import CtPlace, export_result
from TotalSegmentatorEngine.export.order import ExportOrder, with_preset
from TotalSegmentatorEngine.imaging.atomic_file import check_disk_space, disk_errors
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.result_file import write_result
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.series_selection.series_choice import ANY_SERIES

_log = logging.getLogger(__name__)


class CaseFiles:
    """Fulfils run_job.JobFiles. ``draft``: where the files go."""

    def __init__(self, case: Case, task: CaseTask, draft: Path) -> None:
        self._case = case
        self._task = task
        self._draft = draft
        self.geometry: Geometry | None = None
        """Of the CT, as soon as it was read."""
        self.exports: dict[str, str] = {}
        """What was exported: file names by format."""
        self.failure: Problem | None = None
        """Why an export failed, of the first that did."""

    def read(self, reporter: Reporter) -> ReadInput:
        """Raises SegmentationError with one of the INPUT_ codes, DISK_FULL."""
        reporter.progress(Stage.READING, 0.0)
        if self._case.problem is not None:
            raise SegmentationError(self._case.problem.code, **self._case.problem.values)
        ct = read_input(self._case.path, ANY_SERIES, self._case.select)
        self.geometry = ct.volume.geometry
        for warning in self._case.warnings:
            reporter.warning(warning)
        reporter.progress(Stage.CHECKING, 1.0)
        check_disk_space(self._draft, ct.volume.array.size * len(self._task.task.requests))
        return ct

    def write(self, result: SegmentationResult, ct: ReadInput, reporter: Reporter) -> None:
        """The segmentation and the thumbnail, then the exports: one that fails does not keep the others from being
        written. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, CANCELLED."""
        path = self._draft / SEGMENTATION
        write_result(path, result, ct.volume.geometry, reporter.check_cancelled, ct.series_instance_uid)
        self._write_picture(result, ct, reporter)
        for format_id in self._possible(result, reporter):
            try:
                export_result(self._order(format_id), result, ct, self._place(), reporter)
                self.exports[format_id] = EXPORTS[format_id]
            except Exception as error:  # the other exports of this CT, and the other CTs, go on
                problem = problem_of(error, self._draft)
                if problem.code in ("CANCELLED", "DISK_FULL", "OUTPUT_NOT_WRITABLE"):
                    raise
                _log.error("export %s: %s: %s", format_id, problem.code, sentence_without_text(problem))
                self.failure = self.failure or problem
        reporter.progress(Stage.WRITING, 1.0)

    def _write_picture(self, result: SegmentationResult, ct: ReadInput, reporter: Reporter) -> None:
        """Without one the report says so; the CT is segmented all the same."""
        try:
            picture = thumbnail_jpeg(ct.volume, result.layers, result.found, result.flags or ())
        except Exception:  # noqa: BLE001 - the CT has its segmentation, whatever went wrong here
            reporter.check_cancelled()  # a library may have turned Ctrl+C into an exception of its own
            _log.exception("the picture for the report could not be made")
            return
        with disk_errors(self._draft):
            (self._draft / THUMBNAIL).write_bytes(picture)

    def _possible(self, result: SegmentationResult, reporter: Reporter) -> list[str]:
        """The exports that this CT can have; a warning speaks of the others."""
        wanted = list(self._task.exports)
        if wanted and not result.found:
            reporter.warning(Problem("BATCH_EXPORT_EMPTY"))
            return []
        if not self._case.is_dicom:
            refused = [format_id for format_id in wanted if FORMATS[format_id].is_dicom]
            if refused:
                reporter.warning(Problem("BATCH_EXPORT_NOT_DICOM", {"formats": ", ".join(refused)}))
            wanted = [format_id for format_id in wanted if format_id not in refused]
        return wanted

    def _order(self, format_id: str) -> ExportOrder:
        seg = self._draft / self.exports["seg"] if format_id == "sr" and "seg" in self.exports else None
        options = {
            name: value
            for name, value in self._task.export_options.items()
            if name not in _OPTIONS_OF or format_id in _OPTIONS_OF[name]
        }
        output = self._draft / EXPORTS[format_id]
        if "more_structures" not in options:
            return ExportOrder(format_id, output, seg=seg, **options)
        preset, more = options.pop("template"), options.pop("more_structures")
        return with_preset(ExportOrder(format_id, output, seg=seg, **options), preset, more)

    def _place(self) -> CtPlace:
        return CtPlace(self._case.path, ANY_SERIES, self._case.select)


_OPTIONS_OF = {
    "label": ("rtstruct", "seg", "sr"),
    "holes": ("rtstruct",),
    "encoding": ("seg",),
    "observer": ("sr",),
    "with_patient": ("review",),
    "external": ("rtstruct", "seg", "sr", "volumes"),
}
"""Options of an export that not every format takes; those that it does not take are left out."""
