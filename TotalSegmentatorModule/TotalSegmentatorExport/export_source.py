"""Where an export takes segmentation and CT from: files, Slicer's transfer, or a job that has just ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorEngine.dicom_headers import looks_like_dicom
from TotalSegmentatorEngine.geometry import Geometry, Volume
from TotalSegmentatorEngine.image_files import is_nifti_name
from TotalSegmentatorEngine.reading import read_input
from TotalSegmentatorWire.errors import Problem, SegmentationError

from .read_structure import ReadStructure
from .reference_series import ReferenceSeries, read_reference, reference_of_files, reference_volume
from .rtstruct_reader import is_structure_set, read_rtstruct
from .seg_reader import is_seg, read_seg
from .segmentation_files import read_segmentation
from .segments import Layer, Segment, Segmentation, structure_of
from .transferred import read_transferred_segmentation, transferred_ct, transferred_ct_geometry

_COLOURLESS = (128, 174, 128)

Warn = Callable[[Problem], None]


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

    @property
    def grid(self) -> Geometry:
        """The grid on which the structures go out."""
        return self.reference.grid if self.reference is not None else self.image_grid


def source_of_files(path: Path, reference_path: Path | None, labels: str | None, warn: Warn) -> ExportSource:
    """``path``: a segmentation file, a label image, or a DICOM SEG or structure set of the reference's series.
    ``reference_path``: the CT, a DICOM folder or a file; None for formats that need no CT.

    Raises SegmentationError: what the readers of these raise.
    """
    reference, ct = _reference(reference_path)
    if path.is_file() and not is_nifti_name(path) and looks_like_dicom(path):
        if reference is None:
            raise SegmentationError("EXPORT_NOT_DICOM")
        segmentation = as_segmentation(read_structures(path, reference, warn), reference.grid)
        return ExportSource(segmentation, reference, reference.grid, ct)
    segmentation = read_segmentation(path, labels)
    image_grid = segmentation.layers[0].geometry
    if reference is None and reference_path is not None:
        volume = read_input(reference_path).volume
        return ExportSource(segmentation, None, volume.geometry, lambda: volume)
    return ExportSource(segmentation, reference, image_grid, ct)


def source_of_transfer(folder: Path) -> ExportSource:
    """What Slicer's side wrote. Raises SegmentationError: BAD_REQUEST, EXPORT_FILES_MISSING, INPUT_..."""
    segmentation, header = read_transferred_segmentation(folder)
    image_grid = transferred_ct_geometry(header)
    if header.ct_instance_uids:
        missing = len(header.ct_instance_uids) - len(header.ct_files)
        if missing > 0 and len(header.ct_files) != 1:  # one file can hold all frames
            raise SegmentationError("EXPORT_FILES_MISSING", count=missing)
        reference = reference_of_files([Path(file) for file in header.ct_files])
        return ExportSource(segmentation, reference, image_grid, lambda: reference_volume(reference))
    if not header.ct_voxels:
        return ExportSource(segmentation, None, image_grid, None)

    def ct() -> Volume:
        volume = transferred_ct(folder, header)
        assert volume is not None
        return volume

    return ExportSource(segmentation, None, image_grid, ct)


def _reference(path: Path | None) -> tuple[ReferenceSeries | None, Callable[[], Volume] | None]:
    if path is None:
        return None, None
    if not path.exists():
        raise SegmentationError("INPUT_NOT_FOUND")
    if path.is_dir() or (not is_nifti_name(path) and looks_like_dicom(path)):
        reference = read_reference(path)
        return reference, lambda: reference_volume(reference)
    return None, None


# -- structures of others ----------------------------------------------------------------------------------------------


def read_structures(path: Path, reference: ReferenceSeries, warn: Warn) -> list[ReadStructure]:
    """The structures of a DICOM SEG or an RT Structure Set on the planes of the CT.

    Raises SegmentationError: SEGMENTATION_UNREADABLE, and what the readers of these raise.
    """
    if is_structure_set(path):
        return read_rtstruct(path, reference, warn)
    if is_seg(path):
        return read_seg(path, reference, warn)
    raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is neither a DICOM SEG nor an RT Structure Set")


def as_segmentation(structures: Sequence[ReadStructure], grid: Geometry) -> Segmentation:
    """Each structure as a segment with a layer of its own, cut to its voxels: they can overlap."""
    segments, layers = [], []
    for number, structure in enumerate(structures):
        offset = np.eye(4)
        offset[:3, 3] = structure.mask.start[::-1]
        geometry = Geometry(structure.mask.voxels.shape, grid.ijk_to_ras @ offset)
        layers.append(Layer(structure.mask.voxels.astype(np.uint8), geometry))
        row = structure_of(structure.name, structure.name, {})
        colour = structure.colour or (row.colour if row is not None else _COLOURLESS)
        segments.append(Segment(str(structure.number), structure.name, colour, number, 1, {}, row))
    return Segmentation(tuple(segments), tuple(layers))
