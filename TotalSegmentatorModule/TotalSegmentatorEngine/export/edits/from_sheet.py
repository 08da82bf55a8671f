"""The rows that a review sheet adds to the table of edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.result_tags import PREFIX
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.edits.table import OTHER, OWN_MODEL, REMOVED, EditRow
from TotalSegmentatorEngine.export.sheet.contents import EditSize, ReviewSheet


def edits_of(sheet: ReviewSheet, rois: Sequence[Roi], review: str, today: date) -> list[EditRow]:
    """Of the structures that a model computed, each of them one segment; drawn ones and unions are left out.

    ``rois``: those that the sheet was made of.
    """
    month = f"{today:%Y-%m}"
    rows = []
    catalogue = read_catalogue()
    on_sheet = [roi for roi in rois if roi.sources]
    for each, roi in zip(sheet.structures, on_sheet, strict=True):
        if roi.models and len(roi.sources) == 1:
            model, version = (roi.tags.get(PREFIX + name, "") for name in ("Model", "Version"))
            model = model if model in catalogue else OWN_MODEL
            row = EditRow(month, review, model, version, roi.structure or OTHER, each.state.value, each.is_edited)
            rows.append(row if each.edit is None else _with_size(row, each.edit))
    if len(sheet.computations) == 1:
        (made,) = sheet.computations
        model = made.model if made.model in catalogue else OWN_MODEL
        rows += [
            EditRow(month, review, model, made.version, known, REMOVED, True, 0.0, computed_ml, -computed_ml, 0.0)
            for name, computed_ml in sheet.removed
            for known in [name if name in known_structures() else OTHER]
        ]
    return rows


def _with_size(row: EditRow, size: EditSize) -> EditRow:
    return replace(
        row,
        dice=size.dice,
        computed_ml=size.computed_ml,
        difference_ml=size.difference_ml,
        added_path_mm=size.added_path_mm,
    )
