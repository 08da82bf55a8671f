"""One comparison from its two sides to the rows: brings both onto one grid, and says what could not be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.export import SEGMENTATION_HEADER, ExportStep

from TotalSegmentatorEngine.ct_input.reading import is_dicom, read_input
from TotalSegmentatorEngine.export.arguments import CompareOptions
from TotalSegmentatorEngine.export.compare.comparison import ComparisonRow, Voxels, compare, worst_first
from TotalSegmentatorEngine.export.compare.pairing import NamePair, read_pairs
from TotalSegmentatorEngine.export.core.segmentation import MODEL_TAG, Segmentation
from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.dicom.reading_report import OUTSIDE_CT, reported
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference, reference_volume
from TotalSegmentatorEngine.export.grid.alignment import check_series, on_planes, on_volume_voxels
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.export.progress import ExportReporter
from TotalSegmentatorEngine.export.sources.label_images import needs_table
from TotalSegmentatorEngine.export.sources.referenced_series import choice_for
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.export.sources.slicer_transfer import (
    read_transferred_segmentation,
    transferred_ct_geometry,
)
from TotalSegmentatorEngine.export.sources.source import source_of_transfer
from TotalSegmentatorEngine.export.sources.structures import Warn, read_structures
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.series_selection.series_choice import SelectedSeries, SeriesChoice

OnPair = Callable[[ComparisonRow, VoxelMask, VoxelMask], None]

Side = list[tuple[str, Voxels]]
"""Names and voxels on the grid of the comparison."""

_MUST_FIT = {"BAD_REQUEST", "EXPORT_OTHER_CT"}
"""What is wrong with a transferred segmentation itself, and does not go away without the CT's series."""


@dataclass(frozen=True, eq=False)
class ComparisonCt:
    """What both sides are brought to."""

    grid: Geometry
    reference: ReferenceSeries | None = None
    """None where the CT did not come from DICOM, or where its series will not do and nothing needs it."""
    volume: Callable[[], Volume] | None = None
    """HU on ``grid``; None where there is no CT, or nobody will ask for it."""

    @property
    def plane_positions(self) -> np.ndarray | None:
        return None if self.reference is None else self.reference.plane_distances


@dataclass(frozen=True, eq=False)
class Sides:
    """Two segmentations on one grid."""

    ours: Side
    theirs: Side
    ct: ComparisonCt
    models: frozenset[str] = frozenset()
    """Those that made structures of ours, as far as a segmentation file says so."""


def compare_sides(
    options: CompareOptions, reporter: ExportReporter, report_series: Callable[[SelectedSeries], None]
) -> list[ComparisonRow]:
    """Every structure of both sides, the worst pairs first; ``reporter`` gets the warnings.

    A CT without DICOM will do unless a side is DICOM; files need no CT at all then, and meet on the grid of the first.
    Raises SegmentationError: COMPARISON_..., EXPORT_..., INPUT_..., SEGMENTATION_UNREADABLE, CANCELLED.
    """
    reporter.progress(ExportStep.READING, 0.0)
    pairs = read_pairs(options.pairs) if options.pairs is not None else ()
    if options.transferred is None:
        sides = read_sides(options, reporter, report_series)
    else:
        sides = _sides_of_slicer(options, reporter)
    return worst_first(compare_structures(sides, pairs, options.tolerance_mm, reporter))


def compare_structures(
    sides: Sides,
    pairs: Sequence[NamePair],
    tolerance_mm: float,
    reporter: ExportReporter,
    on_pair: OnPair = lambda *_pair: None,
) -> list[ComparisonRow]:
    """What ``compare`` returns. Raises SegmentationError: COMPARISON_NOTHING_IN_COMMON, CANCELLED."""

    def report(done: int, count: int, name: str) -> None:
        reporter.progress(ExportStep.MEASURING, 0.2 + 0.8 * done / max(count, 1), name)

    ct = sides.ct
    return compare(sides.ours, sides.theirs, ct.grid, pairs, ct.plane_positions, report, tolerance_mm, on_pair)


# -- two files ---------------------------------------------------------------------------------------------------------


def read_sides(
    options: CompareOptions,
    reporter: ExportReporter,
    report_series: Callable[[SelectedSeries], None],
    keeps_ct: bool = False,
) -> Sides:
    """Both files; ``keeps_ct``: whether the CT's voxels will be asked for. Raises what ``compare_sides`` raises."""
    paths = (options.ours, options.theirs)
    if not all(path.exists() for path in paths):
        raise SegmentationError("INPUT_NOT_FOUND")
    needs_series = any(map(is_dicom, paths))
    ct = _ct_of_files(options, needs_series, report_series, keeps_ct)
    first = None
    if not is_dicom(options.ours):
        first = read_segmentation(options.ours, _labels_of(options.ours, options), reporter.warning)
    if ct is None:
        ct = ComparisonCt(first.layers[0].geometry)
    ours = _side_of_file(options.ours, options, ct, reporter.warning, first)
    reporter.progress(ExportStep.READING, 0.1)
    theirs = _side_of_file(options.theirs, options, ct, reporter.warning)
    models = {segment.tags.get(MODEL_TAG, "") for segment in first.segments} if first is not None else set()
    return Sides(ours, theirs, ct, frozenset(models - {""}))


def _ct_of_files(
    options: CompareOptions, needs_series: bool, report_series: Callable[[SelectedSeries], None], keeps_ct: bool
) -> ComparisonCt | None:
    """None where no CT was given."""
    path = options.reference
    if path is not None and not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    if path is not None and is_dicom(path):
        choice = choice_for([options.ours, options.theirs], options.series)
        reference = read_reference(path, choice, report_series)
        return ComparisonCt(reference.grid, reference, lambda: reference_volume(reference))
    if needs_series:
        raise SegmentationError("COMPARISON_NEEDS_SERIES")
    if path is None:
        return None
    volume = read_input(path, SeriesChoice(options.series)).volume
    return ComparisonCt(volume.geometry, None, (lambda: volume) if keeps_ct else None)


def _side_of_file(
    path: Path, options: CompareOptions, ct: ComparisonCt, warn: Warn, segmentation: Segmentation | None = None
) -> Side:
    """``segmentation``: what ``path`` holds, where it was read already."""
    if is_dicom(path):
        structures, _left_out = read_structures(path, ct.reference, warn)
        return [(structure.name, structure.mask) for structure in structures]
    if segmentation is None:
        segmentation = read_segmentation(path, _labels_of(path, options), warn)
    if ct.reference is not None:
        check_series(segmentation, ct.reference)
        segmentation = on_planes(segmentation, ct.reference)
    return _placed(segmentation, ct.grid, warn)


def _labels_of(path: Path, options: CompareOptions) -> str | None:
    """The chosen table is for the side that does not say itself what its label values mean, if there is one."""
    sides = [side for side in (options.ours, options.theirs) if side is not None]
    nameless = [side for side in sides if needs_table(side)]
    return options.labels if path in nameless or not nameless else None


# -- a segmentation of Slicer's scene ----------------------------------------------------------------------------------


def _sides_of_slicer(options: CompareOptions, reporter: ExportReporter) -> Sides:
    """``theirs`` is a file, or the folder of another segmentation that was handed over for the same CT."""
    if not options.theirs.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    is_transferred = (options.theirs / SEGMENTATION_HEADER).is_file()
    needs_series = not is_transferred and is_dicom(options.theirs)
    segmentation, volume, reference = _transferred(options.transferred, needs_series, reporter.warning)
    ct = ComparisonCt(volume if reference is None else reference.grid, reference)
    ours = _placed(segmentation, ct.grid, reporter.warning)
    reporter.progress(ExportStep.READING, 0.1)
    if not is_transferred:
        return Sides(ours, _side_of_file(options.theirs, options, ct, reporter.warning), ct)
    other, _header = read_transferred_segmentation(options.theirs)
    if reference is not None:  # it lies where the scene shows it, whatever series it was made on
        other = on_volume_voxels(other, reference, volume)
    return Sides(ours, _placed(other, ct.grid, reporter.warning), ct)


def _transferred(folder: Path, needs_series: bool, warn: Warn) -> tuple[Segmentation, Geometry, ReferenceSeries | None]:
    """The segmentation, the grid of its volume, and the series on which it lies; without one it lies on the volume.

    A series that cannot be used (its gantry was tilted, say) is done without where only it would refuse.
    """
    try:
        source = source_of_transfer(folder)
        aligned = source.aligned()
    except SegmentationError as error:
        if needs_series or error.code in _MUST_FIT:
            raise
        if error.code.startswith("INPUT_"):  # its slices are not where the volume has them
            warn(Problem("COMPARISON_ON_VOLUME", {"code": error.code}))
        segmentation, header = read_transferred_segmentation(folder)
        return segmentation, transferred_ct_geometry(header), None
    if needs_series and source.reference is None:
        raise SegmentationError("COMPARISON_NEEDS_SERIES")
    return aligned, source.image_grid, source.reference


# -- on the grid -------------------------------------------------------------------------------------------------------


def _placed(segmentation: Segmentation, grid: Geometry, warn: Warn) -> Side:
    """The segments that have voxels; those with voxels beyond the grid are left out and named.

    Raises SegmentationError("EXPORT_GEOMETRY_DIFFERS") where that leaves none.
    """
    placed = place(segmentation, grid)
    side: Side = []
    resampled = []
    with reported(warn) as report:
        for segment in placed.segments:
            try:
                if placed.box(segment) is None:
                    continue
            except SegmentationError as error:
                report.leave_out(segment.name, OUTSIDE_CT, error)
                continue
            side.append((segment.name, lambda segment=segment: placed.mask(segment)))
            if placed.is_resampled(segment):
                resampled.append(segment.name)
        if not side:
            report.check_something_left()
    if resampled:
        warn(Problem("COMPARISON_RESAMPLED", {"names": listed(resampled), "count": len(resampled)}))
    return side
