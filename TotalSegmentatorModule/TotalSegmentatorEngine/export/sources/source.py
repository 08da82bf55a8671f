"""Where an export takes segmentation and CT from: files, Slicer's transfer, or a job that has just ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.review import Flag

from TotalSegmentatorEngine.ct_input.reading import is_dicom, read_input
from TotalSegmentatorEngine.export.core.segmentation import Segmentation
from TotalSegmentatorEngine.export.dicom.reference_series import (
    ReferenceSeries,
    read_reference,
    reference_of_files,
    reference_volume,
)
from TotalSegmentatorEngine.export.grid.alignment import check_series, on_planes, on_volume_voxels
from TotalSegmentatorEngine.export.grid.placement import PlacedSegmentation, box_on, place
from TotalSegmentatorEngine.export.sources.computed import read_computed
from TotalSegmentatorEngine.export.sources.referenced_series import choice_for
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.export.sources.slicer_transfer import (
    read_transferred_segmentation,
    transferred_computed,
    transferred_ct,
    transferred_ct_geometry,
)
from TotalSegmentatorEngine.export.sources.structures import Warn, as_segmentation, read_structures
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.flag_file import flag_file_beside
from TotalSegmentatorEngine.series_selection.series_choice import SelectedSeries, SeriesChoice

FindFlags = Callable[["ExportSource", Callable[[], None]], "tuple[Flag, ...] | None"]


@dataclass(frozen=True, eq=False)
class ExportSource:
    """A segmentation and the CT that it belongs to."""

    segmentation: Segmentation
    reference: ReferenceSeries | None
    """The CT's DICOM series; None where it did not come from DICOM."""
    image_grid: Geometry
    """Of the image that the segmentation was made on: Slicer's volume, the CT's file."""
    ct: Callable[[], Volume] | None
    """Reads the CT in HU, on ``reference.grid`` where there is a series, else on ``image_grid``; None without a CT."""
    lies_on: Literal["space", "volume", "planes"] = "space"
    """What the layers' matrices count on: the patient's space, the voxels of Slicer's volume on ``image_grid`` (a user
    can move it), or the planes of ``reference`` already."""
    computed: Callable[[], Segmentation] | None = None
    """Reads what the model computed, where it was kept; it lies where ``segmentation`` does."""
    flags: tuple[Flag, ...] | None = None
    """Of a review that was just made; None where the tags of the segments, or ``flag_file``, may have some."""
    flag_file: Path | None = None
    """That belongs to the segmentation's file; it need not be there."""
    identifiers: tuple[str, ...] = ()
    """Of the patient, beside those in ``reference``; names of structures may hold them."""
    find_flags: FindFlags | None = None
    """Checks the segmentation where nobody has done so; gets what stops it and returns None where it cannot."""

    def aligned(self) -> Segmentation:
        """The segmentation on the series, where there is one.

        Raises SegmentationError: EXPORT_OTHER_CT, EXPORT_CT_MOVED, EXPORT_IMAGE_DIFFERS.
        """
        if self.reference is None:
            return self.segmentation
        check_series(self.segmentation, self.reference)
        if self.lies_on == "volume":
            return on_volume_voxels(self.segmentation, self.reference, self.image_grid)
        return on_planes(self.segmentation, self.reference) if self.lies_on == "space" else self.segmentation

    def placed(self) -> PlacedSegmentation:
        """The segmentation on ``grid``. Raises what ``aligned`` raises."""
        segmentation = self.aligned()
        made_on = segmentation.made_on
        return place(segmentation, self.grid, None if made_on is None else box_on(made_on, self.grid))

    def placed_computed(self) -> PlacedSegmentation | None:
        """What the model computed, on ``grid``; None where it was not kept. Raises what ``aligned`` raises, and what
        reading it raises."""
        if self.computed is None:
            return None
        lies_on = "volume" if self.lies_on == "volume" else "space"
        return dataclasses.replace(self, segmentation=self.computed(), lies_on=lies_on).placed()

    @property
    def grid(self) -> Geometry:
        """The grid on which the structures go out."""
        return self.reference.grid if self.reference is not None else self.image_grid


def source_of_files(
    path: Path,
    reference_path: Path | None,
    labels: str | None,
    warn: Warn,
    series: str | None = None,
    report: Callable[[SelectedSeries], None] = lambda selected: None,
    computed_path: Path | None = None,
) -> ExportSource:
    """``path``: a segmentation file, a label image, or a DICOM SEG or structure set of the reference's series.
    ``reference_path``: the CT, a DICOM folder or a file; None for formats that need no CT. ``series``: which series of
    the folder, as SeriesChoice has it; without it the one that the segmentation refers to. ``report`` gets what was
    chosen. ``computed_path``: what the model computed, as ``read_computed`` has it.

    Raises SegmentationError: what the readers of these raise.
    """
    reference, ct = _reference(reference_path, choice_for([path], series), report)
    computed = None if computed_path is None else lambda: read_computed(computed_path, labels, warn)
    flag_file = flag_file_beside(path)
    if path.is_file() and is_dicom(path):
        if reference is None:
            raise SegmentationError("EXPORT_NOT_DICOM")
        structures, left_out = read_structures(path, reference, warn)
        segmentation = as_segmentation(structures, reference.grid, left_out)
        return ExportSource(segmentation, reference, reference.grid, ct, "planes", computed, flag_file=flag_file)
    segmentation = read_segmentation(path, labels, warn)
    image_grid = segmentation.layers[0].geometry
    if reference is None and reference_path is not None:
        volume = read_input(reference_path, SeriesChoice(series)).volume
        image_grid, ct = volume.geometry, lambda: volume
    return ExportSource(segmentation, reference, image_grid, ct, computed=computed, flag_file=flag_file)


def source_of_transfer(folder: Path) -> ExportSource:
    """What Slicer's side wrote. Raises SegmentationError: BAD_REQUEST, EXPORT_FILES_MISSING, INPUT_..."""
    segmentation, header = read_transferred_segmentation(folder)
    image_grid = transferred_ct_geometry(header)
    computed = None if not header.computed else lambda: transferred_computed(folder, header)
    kept = {"computed": computed, "identifiers": tuple(header.identifiers)}
    if header.ct_instance_uids:
        missing = len(header.ct_instance_uids) - len(header.ct_files)
        if missing > 0 and len(header.ct_files) != 1:  # one file can hold all frames
            raise SegmentationError("EXPORT_FILES_MISSING", count=missing)
        reference = reference_of_files([Path(file) for file in header.ct_files])
        ct_of_series = _reader_of(reference)
        return ExportSource(segmentation, reference, image_grid, ct_of_series, lies_on="volume", **kept)
    if not header.ct_voxels:
        return ExportSource(segmentation, None, image_grid, None)

    def ct() -> Volume:
        volume = transferred_ct(folder, header)
        assert volume is not None
        return volume

    return ExportSource(segmentation, None, image_grid, ct, **kept)


def _reference(
    path: Path | None, choice: SeriesChoice, report: Callable[[SelectedSeries], None]
) -> tuple[ReferenceSeries | None, Callable[[], Volume] | None]:
    if path is None:
        return None, None
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    if is_dicom(path):
        reference = read_reference(path, choice, report)
        return reference, _reader_of(reference)
    return None, None


def _reader_of(reference: ReferenceSeries) -> Callable[[], Volume]:
    return lambda: reference_volume(reference)
