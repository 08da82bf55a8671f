"""Writes structures as a label image with its table: .seg.nrrd for Slicer, plain .nrrd and .nii.gz for the rest.

A .seg.nrrd file holds overlapping structures in several layers. A plain image holds one label a voxel, so that
structures that overlap are refused: no order of precedence would show the reader what is missing. NIfTI carries the
names of its label values in a header extension.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.review_state import review_tags
from TotalSegmentatorWire.tables.structures import CATEGORY_CONTEXT, REGION_CONTEXT

from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.core.label_volume import (
    Progress,
    label_layers,
    label_type,
    label_volume,
    nothing_to_report,
)
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.files.label_table import write_label_table
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_place
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import FileSegment, write_nifti, write_nrrd
from TotalSegmentatorEngine.imaging.label_names import LabelName

SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz")


def write_label_image(
    path: Path,
    rois: Sequence[Roi],
    grid: Geometry,
    table_path: Path | None = None,
    progress: Progress = nothing_to_report,
) -> int:
    """Write ``rois`` on ``grid`` to ``path``, and what the labels mean to ``table_path`` (.csv); returns the layers.

    Label values are the ROI numbers, uint8 where they fit, else uint16. Both files appear, or none.
    Raises SegmentationError: OUTPUT_FORMAT, EXPORT_OVERLAP, OUTPUT_NOT_WRITABLE, DISK_FULL, and what ``progress``
    raises.
    """
    suffix = next((suffix for suffix in SUFFIXES if path.name.lower().endswith(suffix)), None)
    if suffix is None:
        raise SegmentationError("OUTPUT_FORMAT", suffix=path.suffix or "no file name extension")
    check_place(path)
    segments: list[FileSegment] = []
    if suffix == ".seg.nrrd":
        layers, places, extents = label_layers(rois, grid.shape, progress)
        segments = _segments(rois, places, extents)
    else:
        layers = [label_volume(rois, grid.shape, progress)]
    needed = len(layers) * int(np.prod(grid.shape)) * np.dtype(label_type(rois)).itemsize
    with ExitStack() as files:
        if table_path is not None:
            write_label_table(files.enter_context(atomic_file(table_path)), rois)
        stream = files.enter_context(atomic_file(path, needed))
        if suffix == ".nii.gz":
            write_nifti(stream, layers[0], grid, [LabelName(roi.number, roi.name, roi.colour) for roi in rois])
        else:
            write_nrrd(stream, layers, grid, segments)
    return len(layers)


def _segments(rois: Sequence[Roi], places: Sequence[int], extents: Sequence[tuple[int, ...]]) -> list[FileSegment]:
    """A segment keeps its id, so that a file that is loaded again is the same segmentation; a union has a new one."""
    segments: list[FileSegment] = []
    taken: set[str] = set()
    for roi, layer, extent in zip(rois, places, extents, strict=True):
        name = roi.sources[0] if len(roi.sources) == 1 and roi.sources[0] not in taken else roi.name
        taken.add(name)
        segments.append(
            FileSegment(
                id=name,
                name=roi.name,
                colour=roi.colour,
                label=roi.number,
                extent=extent,
                layer=layer,
                tags=_tags(roi),
            )
        )
    return segments


def _tags(roi: Roi) -> dict[str, str]:
    """Those that it came with, so that a reader still knows on which CT it was made and whether it was edited."""
    tags = {**roi.tags, **review_tags(roi.review_state)}
    if roi.algorithm:
        tags["DICOM.SegmentAlgorithmType"] = roi.algorithm
    if roi.algorithm_name and "DICOM.SegmentAlgorithmName" not in tags:  # that one lacks the model, which has its tag
        tags["DICOM.SegmentAlgorithmName"] = roi.algorithm_name
    if roi.codes is not None:
        tags["TerminologyEntry"] = terminology_entry(roi.codes)
    return tags


def terminology_entry(codes: RoiCodes) -> str:
    """Slicer's string: context~category~type~modifier~regionContext~region~regionModifier."""
    parts = (_coded(codes.category), _coded(codes.type), _coded(codes.modifier))
    return "~".join((CATEGORY_CONTEXT, *parts, REGION_CONTEXT, _coded(codes.region), "^^"))


def _coded(code: Code | None) -> str:
    return f"{code.scheme}^{code.value}^{code.meaning}" if code else "^^"
