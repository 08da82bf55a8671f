"""A measurement report together with the DICOM SEG that it refers to: both files appear, or none."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from TotalSegmentatorEngine.export.core.label_volume import Progress
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.export.sr.segments import ReferencedSeg, written_seg
from TotalSegmentatorEngine.export.sr.writer import ReportOptions, write_report
from TotalSegmentatorEngine.imaging.atomic_file import check_place, disk_errors
from TotalSegmentatorEngine.imaging.geometry import Volume


def write_report_with_seg(
    path: Path,
    seg_path: Path,
    rois: Sequence[Roi],
    reference: ReferenceSeries,
    ct: Callable[[], Volume],
    options: ReportOptions,
    seg_progress: Progress,
    report_progress: Progress,
) -> None:
    """Write a binary SEG of ``rois`` to ``seg_path`` and what was measured in them to ``path``, replacing files of
    these names. ``ct`` reads the CT in HU, on the grid of ``reference``.

    Raises SegmentationError: what ``write_seg``, ``ct`` and ``write_report`` raise.
    """
    check_place(path)
    check_place(seg_path)
    with _draft_of_seg(seg_path, rois, reference, seg_progress) as (seg, publish):
        write_report(path, rois, reference, ct(), seg, options, report_progress, publish)


@contextmanager
def _draft_of_seg(
    path: Path, rois: Sequence[Roi], reference: ReferenceSeries, progress: Progress
) -> Iterator[tuple[ReferencedSeg, Callable[[], None]]]:
    """The SEG under a name of its own, and what puts it into its place."""
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        report = write_seg(draft, rois, reference, progress=progress)
        yield written_seg(report, rois, reference), lambda: _place(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def _place(draft: Path, path: Path) -> None:
    with disk_errors(path.parent):
        draft.replace(path)
