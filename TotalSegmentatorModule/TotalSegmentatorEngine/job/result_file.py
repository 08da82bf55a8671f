"""Writes the result as a file: a segmentation that Slicer opens (.seg.nrrd), in which structures may overlap, or a
plain label image (.nrrd, .nii.gz).

The grid is exactly the input's, left-handed and oblique ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.agreement.kept import agreement_tag
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.result_tags import provenance_tags
from TotalSegmentatorWire.tables.review_state import REVIEW_STATE_TAG, VOXEL_DIGEST_TAG, ReviewState
from TotalSegmentatorWire.tables.structures import Structure

from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_disk_space, check_place
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nifti, write_nrrd
from TotalSegmentatorEngine.imaging.label_names import LabelName
from TotalSegmentatorEngine.job.task import SegmentationResult

SEGMENTATION_SUFFIX = ".seg.nrrd"
SUFFIXES = (SEGMENTATION_SUFFIX, ".nrrd", ".nii.gz")


def check_output(path: Path, shape: tuple[int, int, int] | None = None, layers: int = 1) -> None:
    """Raises before anything is computed where the result could not be written to ``path``.

    ``layers``: how many the result may have; the structures of one model have one. With ``shape`` (k, j, i) the disk
    must have room for the labels as they are, one byte a voxel and layer: an upper bound.
    Raises SegmentationError: OUTPUT_FORMAT, OUTPUT_ONE_LAYER, OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise SegmentationError("OUTPUT_FORMAT", suffix=path.suffix or "no file name extension")
    if layers > 1 and not _is_segmentation(path):
        raise SegmentationError("OUTPUT_ONE_LAYER")
    check_place(path)
    if shape is not None:
        check_disk_space(path.parent, int(np.prod(shape)) * layers)


def _is_segmentation(path: Path) -> bool:
    return path.name.lower().endswith(SEGMENTATION_SUFFIX)


def write_result(
    path: Path,
    result: SegmentationResult,
    geometry: Geometry,
    check_cancelled: Callable[[], None] = lambda: None,
    series_instance_uid: str | None = None,
    checks_room: bool = True,
) -> None:
    """Write ``result.layers`` (each uint8, (k, j, i) of ``geometry``) to ``path``, replacing a file of that name.

    ``.seg.nrrd``: the layers with a segment per found structure: its name as id, its display name, colour, terminology
    and tags; absent structures are not made into empty segments. ``.nii.gz``: the label values, with the names of all
    structures of the label set; ``.nrrd``: the values alone; both take one layer.
    ``series_instance_uid`` is that of the CT, where it came from DICOM. Without ``checks_room`` the labels, which
    compress well, are written to a disk that might be too small for them as they are.
    Raises SegmentationError: OUTPUT_FORMAT, OUTPUT_ONE_LAYER, OUTPUT_NOT_WRITABLE, DISK_FULL, and what
    ``check_cancelled`` raises.
    """
    shapes = {labels.shape for labels in result.layers}
    if shapes != {geometry.shape}:
        raise ValueError(f"layers {shapes} and grid {geometry.shape} differ in shape")
    check_output(path, geometry.shape if checks_room else None, len(result.layers))
    layers = [np.ascontiguousarray(labels, dtype=np.uint8) for labels in result.layers]
    with atomic_file(path, sum(labels.nbytes for labels in layers)) as stream:
        if path.name.lower().endswith(".nii.gz"):
            write_nifti(stream, layers[0], geometry, _label_names(result), check_cancelled)
        else:
            segments = result_segments(result, series_instance_uid) if _is_segmentation(path) else []
            write_nrrd(stream, layers, geometry, segments, check_cancelled)


def _label_names(result: SegmentationResult) -> list[LabelName]:
    """Of all structures of the label set; those of several models have only the numbers that were found."""
    labels = {found.name: found.label for found in result.found}
    if len(result.models) == 1:
        labels = {row.name: row.label for row in result.structures} | labels
    return [LabelName(labels[row.name], row.name, row.colour) for row in result.structures if row.name in labels]


def result_segments(result: SegmentationResult, series_instance_uid: str | None) -> list[FileSegment]:
    """A segment per found structure, in the order of layers and labels."""
    structures = {structure.name: structure for structure in result.structures}
    return [
        FileSegment(
            id=found.name,
            name=structures[found.name].display_name,
            colour=structures[found.name].colour,
            label=found.label,
            extent=tuple(found.extent),
            layer=found.layer,
            tags=segment_tags(structures[found.name], found, result, series_instance_uid),
        )
        for found in sorted(result.found, key=lambda found: (found.layer, found.label))
    ]


def segment_tags(
    structure: Structure, found: FoundStructure, result: SegmentationResult, series_instance_uid: str | None
) -> dict[str, str]:
    """Tags of one segment: its coded meaning, how it was made, and that it has not been reviewed."""
    model = result.model_of(found)
    return {
        "TerminologyEntry": structure.terminology,
        "DICOM.SegmentAlgorithmType": "AUTOMATIC",
        "DICOM.SegmentAlgorithmName": ALGORITHM_NAME,
        REVIEW_STATE_TAG: ReviewState.UNREVIEWED.value,
        VOXEL_DIGEST_TAG: found.digest,
        **provenance_tags(
            model,
            result.profiles[model],
            ENGINE_VERSION,
            result.options.to_json(),
            series_instance_uid,
            result.seconds,
            result.device,
            agreement_tag(result.agreement),
        ),
    }
