"""Makes the review sheet of an export: collects, draws, writes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

from TotalSegmentatorWire.edits_file import edits_file
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import ExportStep
from TotalSegmentatorWire.tables.export_formats import SHEET_DATA_SUFFIX
from TotalSegmentatorWire.tables.result_tags import CT_SERIES_TAG, series_digest

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.edits.from_sheet import edits_of
from TotalSegmentatorEngine.export.edits.table import add_edits, review_number
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation
from TotalSegmentatorEngine.export.order import SHEET_DATA, ExportOrder
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sheet.contents import ReviewSheet
from TotalSegmentatorEngine.export.sheet.gathering import SheetMaterial, gathered
from TotalSegmentatorEngine.export.sheet.redaction import Redaction, identifiers_of
from TotalSegmentatorEngine.export.sheet.review_record import record_of
from TotalSegmentatorEngine.export.sheet.writer import ct_digest, patient_of, write_sheet
from TotalSegmentatorEngine.export.sources.source import ExportSource

_MEASURED, _DRAWN = 0.6, 0.95


def write_review_sheet(
    order: ExportOrder,
    source: ExportSource,
    placed: PlacedSegmentation,
    rois: Sequence[Roi],
    edited: Collection[str],
    reporter: ExportReporter,
    first: float,
) -> tuple[list[Path], list[Problem]]:
    """Returns what was written, and warnings. ``edited`` as for ``plan_rois``; ``first``: the share of the export that
    is done.

    Raises SegmentationError: EXPORT_SHEET_NO_CT, what reading the CT, the computed structures and the flags raises, and
    OUTPUT_NOT_WRITABLE, DISK_FULL, CANCELLED.
    """
    if source.ct is None:
        raise SegmentationError("EXPORT_SHEET_NO_CT")
    ct = source.ct()
    reference = source.reference
    warnings = []
    if order.with_patient and reference is None:
        warnings.append(Problem("EXPORT_SHEET_NO_PATIENT"))
    record = record_of(placed.segments, source.flags, source.flag_file)
    is_checked_now = record is None and source.find_flags is not None
    if is_checked_now:
        reporter.progress(ExportStep.CHECKING, first)
        record = record_of((), source.find_flags(source, reporter.check_cancelled), None)
    material = SheetMaterial(
        placed=placed,
        rois=rois,
        ct=ct,
        plane_distances=None if reference is None else reference.plane_distances,
        edited=frozenset(edited),
        computed=source.placed_computed(),
        record=record,
        is_checked_now=is_checked_now and record is not None,
        is_whole=(order.structures, order.template, order.states) == (None,) * 3 and not source.segmentation.is_part,
        series_digest=_series_digest(source, placed),
        voxel_digest=ct_digest(ct),
        redaction=_redaction(order, source),
        patient=patient_of(reference.dataset) if order.with_patient and reference is not None else None,
    )
    if record is None:
        warnings.append(Problem("EXPORT_SHEET_NOT_CHECKED"))
    measuring = reporter.structures(ExportStep.MEASURING, len(rois), first, _MEASURED)
    sheet = gathered(material, measuring)
    shown = None
    if not order.output.name.lower().endswith(SHEET_DATA_SUFFIX):
        from TotalSegmentatorEngine.export.sheet.pictures import pictures

        # each structure is visited twice
        drawing = reporter.structures(ExportStep.DRAWING, 2 * len(rois), _MEASURED, _DRAWN)
        shown = pictures(rois, ct, sheet.numbered, drawing)
    reporter.progress(ExportStep.WRITING, _DRAWN)
    files = write_sheet(order.output, order.companions.get(SHEET_DATA), sheet, shown)
    if order.keep_edits:
        warnings += _keep_edits(sheet, rois)
    return files, warnings


def _keep_edits(sheet: ReviewSheet, rois: Sequence[Roi]) -> list[Problem]:
    """The sheet is there, whatever becomes of the table."""
    file, models = edits_file(), sorted({computation.model for computation in sheet.computations})
    try:
        number = review_number(file, " ".join([sheet.input.digest, *models]))
        add_edits(file, edits_of(sheet, rois, number, date.today()))
    except SegmentationError as error:
        return [Problem("EXPORT_SHEET_EDITS_NOT_KEPT", {"code": error.code})]
    return []


def _redaction(order: ExportOrder, source: ExportSource) -> Redaction:
    """Of everything that somebody typed; of nothing where the patient is named."""
    if order.with_patient:
        return Redaction(())
    of_series = [] if source.reference is None else identifiers_of(source.reference.dataset)
    return Redaction([*of_series, *source.identifiers])


def _series_digest(source: ExportSource, placed: PlacedSegmentation) -> str:
    """Of the CT's series; without its files, what the segments say of the CT on which they were made."""
    if source.reference is not None and source.reference.series_instance_uid:
        return series_digest(source.reference.series_instance_uid)
    noted = {segment.tags.get(CT_SERIES_TAG, "") for segment in placed.segments} - {""}
    return noted.pop() if len(noted) == 1 else ""
