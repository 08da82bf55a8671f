"""One export from the order to the files: align, choose and name the structures, write."""

from __future__ import annotations

import dataclasses
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import ExportStep
from TotalSegmentatorWire.tables.export_formats import LABEL_IMAGES

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.shown_names import all_listed, listed
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.ct_writer import write_ct_series
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, check_identifiers, read_reference
from TotalSegmentatorEngine.export.grid.alignment import edited_segments
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.order import SEG_SUFFIX, TABLE, ExportOrder, check_order
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.rois.plan import plan_rois
from TotalSegmentatorEngine.export.rtstruct.contours import ContourOptions
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorEngine.export.sources.source import ExportSource
from TotalSegmentatorEngine.imaging.atomic_file import disk_errors
from TotalSegmentatorEngine.imaging.geometry import Volume

CT_FOLDER = "CT"

_PREPARED = 0.1
_WRITTEN = 0.97


@dataclass(frozen=True)
class ExportResult:
    files: list[Path]
    """What was written; of a CT series its folder."""
    structures: int
    edited: list[str]
    """Ids of segments whose voxels changed since the engine made them."""
    seconds: float
    warnings: list[Problem]
    """About what was written; an export that is refused has none."""


def export(order: ExportOrder, source: ExportSource, reporter: ExportReporter) -> ExportResult:
    """Writes what the order asks for, all of it or nothing.

    Raises SegmentationError: EXPORT_..., TEMPLATE_..., INPUT_..., OUTPUT_NOT_WRITABLE, DISK_FULL, CANCELLED.
    """
    started = time.monotonic()
    check_order(order)
    reporter.progress(ExportStep.CHECKING, 0.02)
    with _place(order) as folder:
        source, warnings = _with_series(order, source, folder, reporter)
        placed = _placed(order, source)
        reporter.progress(ExportStep.CHECKING, 0.06)
        edited = edited_segments(placed)
        outline = None if source.ct is None else lambda: _body(source)
        hu = None if source.ct is None else lambda: source.ct().array
        plan = plan_rois(placed, order.choice(), edited, outline, hu)
        writer = _Writer(order, source, placed, plan.rois, edited, reporter)
        paths = writer.write(folder)
        reporter.progress(ExportStep.WRITING, _WRITTEN)
    about = [] if order.kind.is_sheet else plan.warnings_about(writer.written)  # the sheet says it itself
    warnings += [*about, *_resampled(placed, writer.written), *writer.warnings]
    files = [order.output / path.relative_to(folder) if folder is not None else path for path in paths]
    chosen = {segment_id for roi in plan.rois for segment_id in roi.sources}
    seconds = time.monotonic() - started
    return ExportResult(files, len(writer.written), sorted(edited & chosen), seconds, warnings)


@contextmanager
def _place(order: ExportOrder) -> Iterator[Path | None]:
    """A folder that becomes the output when the block succeeds; None where the output is a file."""
    if not order.is_into_folder:
        yield None
        return
    draft = order.output.parent / f".{secrets.token_hex(8)}.part"
    with disk_errors(order.output.parent):
        draft.mkdir()
    try:
        yield draft
        with disk_errors(order.output.parent):
            if order.output.is_dir():
                order.output.rmdir()  # it was empty before; a file in it meanwhile makes this fail
            draft.rename(order.output)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _with_series(
    order: ExportOrder, source: ExportSource, folder: Path | None, reporter: ExportReporter
) -> tuple[ExportSource, list[Problem]]:
    """For a DICOM format a source whose CT is a DICOM series: its own, or one that is written now, and a warning."""
    if source.reference is not None or not order.kind.is_dicom:
        if source.reference is not None and order.kind.is_dicom:
            check_identifiers(source.reference)
        return source, []
    if folder is None or source.ct is None:
        raise SegmentationError("EXPORT_NOT_DICOM")
    volume = source.ct()
    ct_folder = folder / CT_FOLDER
    ct_folder.mkdir()
    write_ct_series(ct_folder, volume, check_cancelled=reporter.check_cancelled)
    reference = read_reference(ct_folder)
    written = dataclasses.replace(source, reference=reference, ct=lambda: _turned(volume, reference))
    return written, [Problem("EXPORT_CT_WRITTEN")]


def _turned(volume: Volume, reference: ReferenceSeries) -> Volume:
    """The volume in the order of the series that was written from it: a left-handed one has its slices reversed."""
    array = volume.array[::-1] if volume.geometry.is_left_handed else volume.array
    return Volume(array, reference.grid)


def _placed(order: ExportOrder, source: ExportSource) -> PlacedSegmentation:
    if not source.segmentation.segments:
        raise SegmentationError("EXPORT_NOTHING_CHOSEN")
    if source.reference is not None and source.reference.irregular is not None and order.format in LABEL_IMAGES:
        raise source.reference.irregular  # such an image has equal steps
    return source.placed()


def _body(source: ExportSource) -> VoxelMask:
    from TotalSegmentatorEngine.export.grid.body_outline import body_mask

    return body_mask(source.ct().array, source.grid.spacing)


def _resampled(placed: PlacedSegmentation, rois: list[Roi]) -> Iterator[Problem]:
    resampled = {segment.id for segment in placed.segments if placed.is_resampled(segment)}
    names = [roi.name for roi in rois if not resampled.isdisjoint(roi.sources)]
    if names:
        yield Problem("EXPORT_RESAMPLED", {"names": listed(names), "count": len(names)})


class _Writer:
    """Writes the structures in the order's format. ``written`` are then those that went out."""

    def __init__(
        self,
        order: ExportOrder,
        source: ExportSource,
        placed: PlacedSegmentation,
        rois: list[Roi],
        edited: set[str],
        reporter: ExportReporter,
    ) -> None:
        self._order = order
        self._source = source
        self._placed = placed
        self._rois = rois
        self._edited = edited
        self._reporter = reporter
        self.written = rois
        self.warnings: list[Problem] = []

    def write(self, folder: Path | None) -> list[Path]:
        """Returns what was written: paths in ``folder``, or the order's output."""
        order = self._order
        if order.kind.is_dicom:
            path = order.output if folder is None else folder / f"{order.kind.modality}.dcm"
            written = {"rtstruct": self._structure_set, "seg": self._seg, "sr": self._report_of_measurements}
            paths = written[order.format](path)
            ct_folder = None if folder is None else folder / CT_FOLDER
            return paths if ct_folder is None or not ct_folder.is_dir() else [*paths, ct_folder]
        if order.kind.is_surface:
            return self._surfaces(folder)
        if order.format == "volumes":
            return self._volumes()
        if order.kind.is_sheet:
            return self._sheet()
        return self._label_image()

    def _structure_set(self, path: Path) -> list[Path]:
        order = self._order
        contours = ContourOptions(order.holes, order.smooth_contours, order.smallest_island_mm2)
        options = StructureSetOptions(order.label, contours)
        report = write_rtstruct(path, self._rois, self._reference, options, self._report(ExportStep.CONTOURING))
        left_out = {roi.number for roi in report.left_out}
        self.written = [roi for roi in self._rois if roi.number not in left_out]
        area = {"area_mm2": order.smallest_island_mm2}
        if report.left_out:
            names = all_listed(roi.name for roi in report.left_out)
            self.warnings.append(Problem("EXPORT_ISLANDS_ONLY", area | {"names": names}))
        if report.islands:
            found = {"islands": report.islands, "volume_ml": report.islands_ml}
            names = listed(report.without_islands)
            self.warnings.append(Problem("EXPORT_ISLANDS_REMOVED", area | found | {"names": names}))
        if order.smooth_contours:
            self.warnings.append(Problem("EXPORT_CONTOURS_SMOOTHED", {"percent": report.changed_percent}))
        return [path]

    def _seg(self, path: Path) -> list[Path]:
        from TotalSegmentatorEngine.export.seg.writer import write_seg

        order = self._order
        report = self._report(ExportStep.WRITING)
        write_seg(path, self._rois, self._reference, order.encoding, order.label, report)
        return [path]

    def _report_of_measurements(self, path: Path) -> list[Path]:
        """With the SEG that it refers to, unless there is one."""
        from TotalSegmentatorEngine.export.sr.segments import existing_seg
        from TotalSegmentatorEngine.export.sr.with_seg import write_report_with_seg
        from TotalSegmentatorEngine.export.sr.writer import ReportOptions, write_report

        order, source, rois, reference = self._order, self._source, self._rois, self._reference
        if source.ct is None:
            raise SegmentationError("EXPORT_NOT_DICOM")
        options = ReportOptions(order.label, order.observer)
        if order.seg is not None:
            seg = existing_seg(order.seg, rois, reference, self._reporter.check_cancelled)
            write_report(path, rois, reference, source.ct(), seg, options, self._report(ExportStep.MEASURING))
            return [path]
        seg_path = path.with_name(path.name[: -len(path.suffix)] + SEG_SUFFIX)
        half = (_PREPARED + _WRITTEN) / 2
        reports = (self._report(ExportStep.WRITING, last=half), self._report(ExportStep.MEASURING, first=half))
        write_report_with_seg(path, seg_path, rois, reference, source.ct, options, *reports)
        return [path, seg_path]

    def _surfaces(self, folder: Path | None) -> list[Path]:
        from TotalSegmentatorEngine.export.surfaces.writer import write_surfaces

        order, reference = self._order, self._source.reference
        positions = None if reference is None else np.array([plane.position for plane in reference.planes])
        report = self._report(ExportStep.MESHING)
        target = folder or order.output
        write_surfaces(target, self._rois, self._source.grid, order.format, order.space, report, positions)
        return [target]

    def _volumes(self) -> list[Path]:
        from TotalSegmentatorEngine.export.files.volume_table import write_volumes

        source, reference = self._source, self._source.reference
        ct = None if source.ct is None else source.ct()
        distances = None if reference is None else reference.plane_distances
        report = self._report(ExportStep.MEASURING)
        write_volumes(self._order.output, self._rois, source.grid, ct, distances, report)
        return [self._order.output]

    def _sheet(self) -> list[Path]:
        from TotalSegmentatorEngine.export.sheet_job import write_review_sheet

        parts = (self._order, self._source, self._placed, self._rois, self._edited, self._reporter)
        paths, self.warnings = write_review_sheet(*parts, _PREPARED)
        return paths

    def _label_image(self) -> list[Path]:
        """With a table of the labels beside it."""
        from TotalSegmentatorEngine.export.files.label_image import write_label_image

        output, table = self._order.output, self._order.companions[TABLE]
        write_label_image(output, self._rois, self._source.grid, table, self._report(ExportStep.WRITING))
        return [output, table]

    @property
    def _reference(self) -> ReferenceSeries:
        if self._source.reference is None:
            raise SegmentationError("EXPORT_NOT_DICOM")
        return self._source.reference

    def _report(self, step: str, first: float = _PREPARED, last: float = _WRITTEN) -> Callable[[int, Roi], None]:
        return self._reporter.structures(step, len(self._rois), first, last)
