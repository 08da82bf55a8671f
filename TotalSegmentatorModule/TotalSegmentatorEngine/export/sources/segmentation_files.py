"""Reads the segmentation that is to be exported: Slicer's .seg.nrrd with all its layers, or a label image."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.export.core.segmentation import (
    MODEL_TAG,
    Layer,
    Segment,
    Segmentation,
    structure_of,
    unique_ids,
)
from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.dicom.reading_report import DAMAGED, NUMBER_SHARED, ReadingReport, reported
from TotalSegmentatorEngine.export.sources.label_images import (
    UNNAMED_COLOUR,
    check_chosen,
    chosen_names,
    label_image,
)
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.imaging.image_files import is_nifti_name, read_itk, read_itk_image, read_nifti
from TotalSegmentatorEngine.imaging.label_names import LabelName
from TotalSegmentatorEngine.imaging.library_output import library_lines

LARGEST_LABEL = 1 << 24
"""Largest value of a label image: 32-bit floating point, in which larger ones are read, holds these exactly."""

_REFERENCE_GEOMETRY = re.compile(r"(?:^|&)Reference image geometry\|([^|&]*)")

MOST_LAYERS = 1 << 16
"""Of one file; each is an image of its own."""


def read_segmentation(
    path: Path, labels: str | None = None, warn: Callable[[Problem], None] = lambda problem: None
) -> Segmentation:
    """The segments of a .seg.nrrd file, or those that a label image (.nrrd, .nii.gz, .mha) holds.

    ``labels``: the label table of a label image, one of ``LABEL_TABLES`` or a CSV file; ``label_image`` says which
    names an image has without it. ``warn`` gets what was left out.

    Raises SegmentationError: INPUT_NOT_FOUND, SEGMENTATION_UNREADABLE, EXPORT_NUMBERS_SHARED, and what ``label_image``
    raises.
    """
    if not path.is_file():
        raise SegmentationError("INPUT_NOT_FOUND")
    if labels is not None:
        chosen_names(labels)
    with reported(warn) as report:
        if not is_nifti_name(path):
            fields, arrays, geometry = _read_nrrd(path)
            if _segment_numbers(fields):
                segmentation = _slicer_segmentation(fields, arrays, geometry, report)
                if labels is not None and len(arrays) == 1:  # else a value is one name's in each layer
                    check_chosen((LabelName(segment.label, segment.name) for segment in segmentation.segments), labels)
                return segmentation
        return label_image(_read_labels(path, warn), path, labels, report)


# -- Slicer's segmentations --------------------------------------------------------------------------------------------


def _read_nrrd(path: Path) -> tuple[dict[str, str], list[np.ndarray], Geometry]:
    """Header fields, layers (k, j, i) and their grid."""
    try:
        with library_lines():
            image = read_itk_image(path, most_components=MOST_LAYERS)
    except SegmentationError as error:
        raise _unsuitable(error) from error
    array = image.array
    layers = [array] if array.ndim == 3 else [array[..., number] for number in range(array.shape[-1])]
    return image.fields, layers, image.geometry


def _segment_numbers(fields: dict[str, str]) -> list[int]:
    return sorted(
        int(key[len("Segment") : -len("_ID")])
        for key in fields
        if key.startswith("Segment") and key.endswith("_ID") and key[len("Segment") : -len("_ID")].isdecimal()
    )


def _slicer_segmentation(
    fields: dict[str, str], arrays: list[np.ndarray], geometry: Geometry, report: ReadingReport
) -> Segmentation:
    """By Docs/developer_guide/modules/segmentations.md of Slicer's source.

    Files of Slicer before 4.11 state neither layer nor label value: each segment has a layer of its own, of ones.
    """
    segments = []
    for position, number in enumerate(_segment_numbers(fields)):
        prefix = f"Segment{number}_"
        name = fields.get(prefix + "Name", fields[prefix + "ID"])
        try:
            segments.append(_slicer_segment(fields, prefix, position, len(arrays)))
        except SegmentationError as error:
            report.leave_out(name, DAMAGED, error)
    _report_unnamed(segments, arrays, report)
    segments = _told_apart(segments, report)
    if not segments:
        report.check_something_left()
    ids = unique_ids(segment.id for segment in segments)
    segments = [replace(segment, id=own) for segment, own in zip(segments, ids, strict=True)]
    layers = tuple(Layer(array, geometry) for array in arrays)
    return Segmentation(tuple(segments), layers, report.left_out, _made_on(fields, segments, geometry))


def _made_on(fields: dict[str, str], segments: list[Segment], geometry: Geometry) -> Geometry | None:
    """Slicer notes the grid of the image on which a segmentation was made, as vtkSegmentationConverter's
    SerializeImageGeometry has it: a matrix to RAS and an extent. This program writes results on their image's grid."""
    noted = _REFERENCE_GEOMETRY.search(fields.get("Segmentation_ConversionParameters", ""))
    if noted is None:
        return geometry if any(MODEL_TAG in segment.tags for segment in segments) else None
    try:
        numbers = [float(number) for number in noted[1].strip(";").split(";")]
    except ValueError:
        return None
    if len(numbers) != 22 or not np.isfinite(numbers).all():
        return None
    first, last = np.array(numbers[16::2]), np.array(numbers[17::2])
    matrix = np.reshape(numbers[:16], (4, 4))
    shift = np.eye(4)
    shift[:3, 3] = first
    shape = tuple(int(size) for size in (last - first + 1)[::-1])
    is_grid = min(shape) > 0 and abs(np.linalg.det(matrix)) > 0
    return Geometry(shape, matrix @ shift) if is_grid else None


def _slicer_segment(fields: dict[str, str], prefix: str, position: int, layers: int) -> Segment:
    segment_id = fields[prefix + "ID"]
    name = fields.get(prefix + "Name", segment_id)
    tags = _tags(fields.get(prefix + "Tags", ""))
    try:
        layer = int(fields.get(prefix + "Layer", position))
        label = int(fields.get(prefix + "LabelValue", 1))
        channels = [round(float(part) * 255) for part in fields.get(prefix + "Color", "").split()]
    except ValueError:
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a segment's header is damaged") from None
    if not 0 <= layer < layers:
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a layer is missing")
    colour = tuple(np.clip(channels, 0, 255).tolist()) if len(channels) == 3 else UNNAMED_COLOUR
    return Segment(segment_id, name, colour, layer, label, tags, structure_of(segment_id, name, tags))


def _told_apart(segments: list[Segment], report: ReadingReport) -> list[Segment]:
    """Without segments that claim the same voxels: one value of one layer is one segment's."""
    owners: dict[tuple[int, int], list[Segment]] = {}
    for segment in segments:
        owners.setdefault((segment.layer, segment.label), []).append(segment)
    kept = []
    for segment in segments:
        others = owners[segment.layer, segment.label]
        if len(others) == 1:
            kept.append(segment)
        else:
            shared = SegmentationError("EXPORT_NUMBERS_SHARED", names=listed(other.name for other in others))
            report.leave_out(segment.name, NUMBER_SHARED, shared)
    return kept


def _report_unnamed(segments: list[Segment], arrays: list[np.ndarray], report: ReadingReport) -> None:
    """Voxels with values that no segment has would be missing without a word."""
    for number, array in enumerate(arrays):
        if array.dtype not in (np.uint8, np.uint16):
            continue
        present = np.zeros(np.iinfo(array.dtype).max + 1, dtype=bool)
        for plane in array:
            present |= np.bincount(plane.ravel(), minlength=len(present)) > 0
        named = {segment.label for segment in segments if segment.layer == number}
        for value in np.flatnonzero(present).tolist():
            if value and value not in named:
                report.note("LABELS_LEFT_OUT", str(value))


def _tags(text: str) -> dict[str, str]:
    """``key:value|key:value|``"""
    return dict(part.split(":", 1) for part in text.split("|") if ":" in part)


# -- label images ------------------------------------------------------------------------------------------------------


def _read_labels(path: Path, warn: Callable[[Problem], None]) -> Volume:
    try:
        with library_lines():
            volume = read_nifti(path, warn) if is_nifti_name(path) else read_itk(path)
    except SegmentationError as error:
        raise _unsuitable(error) from error
    array = volume.array
    if array.dtype.kind == "f":
        if not np.array_equal(array, np.rint(array)):
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="its values are not whole numbers")
        if np.abs(array).max(initial=0) > LARGEST_LABEL:
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="its values are too large for label values")
        array = array.astype(np.int32)
    return Volume(array, volume.geometry)


def _unsuitable(error: SegmentationError) -> SegmentationError:
    """What an image reader found, said of a segmentation; damages are named as they are."""
    if error.code in ("INPUT_DAMAGED", "INPUT_MIRRORED_TRANSFORMS"):
        return error
    if error.code == "INPUT_UNREADABLE":
        return SegmentationError("SEGMENTATION_UNREADABLE", detail="it is damaged or its format is not supported")
    return SegmentationError("SEGMENTATION_UNREADABLE", detail=f"its image is not suitable ({error.code})")
