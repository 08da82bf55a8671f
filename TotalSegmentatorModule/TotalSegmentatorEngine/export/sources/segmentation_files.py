"""Reads the segmentation that is to be exported: Slicer's .seg.nrrd with all its layers, or a label image."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import LABEL_TABLES, structure_table

from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation, structure_of
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume, geometry_from_lps
from TotalSegmentatorEngine.imaging.image_files import is_nifti_name, read_itk, read_nifti

_UNNAMED_COLOUR = (128, 174, 128)
"""Of a mask without a table."""

_log = logging.getLogger(__name__)


def read_segmentation(path: Path, labels: str | None = None) -> Segmentation:
    """The segments of a .seg.nrrd file, or those that a label image (.nrrd, .nii.gz, .mha) holds.

    ``labels`` names the label table of a label image (one of ``LABEL_TABLES``). Without it an image of a single value
    is one segment, named after the file.

    Raises SegmentationError: INPUT_NOT_FOUND, SEGMENTATION_UNREADABLE, EXPORT_LABELS_UNNAMED.
    """
    if not path.is_file():
        raise SegmentationError("INPUT_NOT_FOUND")
    if labels is not None and labels not in LABEL_TABLES:
        known = ", ".join(LABEL_TABLES)
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail=f"the available label tables are {known}")
    if not is_nifti_name(path):
        fields, arrays, geometry = _read_nrrd(path)
        if _segment_numbers(fields):
            return _slicer_segmentation(fields, arrays, geometry)
    return _label_image(_read_labels(path), labels, path)


# -- Slicer's segmentations --------------------------------------------------------------------------------------------


def _read_nrrd(path: Path) -> tuple[dict[str, str], list[np.ndarray], Geometry]:
    """Header fields, layers (k, j, i) and their grid."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
        fields = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()}
        image = reader.Execute()
    except RuntimeError as error:
        _log.error("reading failed with %s", type(error).__name__)
        raise SegmentationError(
            "SEGMENTATION_UNREADABLE", detail="it is damaged or its format is not supported"
        ) from None
    if image.GetDimension() != 3:
        raise SegmentationError("SEGMENTATION_UNREADABLE", detail="it is not a three-dimensional image")
    array = SimpleITK.GetArrayFromImage(image)
    layers = [array] if array.ndim == 3 else [array[..., number] for number in range(array.shape[-1])]
    geometry = geometry_from_lps(layers[0].shape, image.GetSpacing(), image.GetDirection(), image.GetOrigin())
    return fields, layers, geometry


def _segment_numbers(fields: dict[str, str]) -> list[int]:
    return sorted(
        int(key[len("Segment") : -len("_ID")])
        for key in fields
        if key.startswith("Segment") and key.endswith("_ID") and key[len("Segment") : -len("_ID")].isdigit()
    )


def _slicer_segmentation(fields: dict[str, str], arrays: list[np.ndarray], geometry: Geometry) -> Segmentation:
    """By Docs/developer_guide/modules/segmentations.md of Slicer's source.

    Files of Slicer before 4.11 state neither layer nor label value: each segment has a layer of its own, of ones.
    """
    segments = []
    for position, number in enumerate(_segment_numbers(fields)):
        prefix = f"Segment{number}_"
        segment_id = fields[prefix + "ID"]
        name = fields.get(prefix + "Name", segment_id)
        tags = _tags(fields.get(prefix + "Tags", ""))
        try:
            layer = int(fields.get(prefix + "Layer", position))
            label = int(fields.get(prefix + "LabelValue", 1))
            channels = [round(float(part) * 255) for part in fields.get(prefix + "Color", "").split()]
        except ValueError:
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a segment's header is damaged") from None
        if not 0 <= layer < len(arrays):
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="a layer is missing")
        colour = tuple(np.clip(channels, 0, 255).tolist()) if len(channels) == 3 else _UNNAMED_COLOUR
        segments.append(Segment(segment_id, name, colour, layer, label, tags, structure_of(segment_id, name, tags)))
    return Segmentation(tuple(segments), tuple(Layer(array, geometry) for array in arrays))


def _tags(text: str) -> dict[str, str]:
    """``key:value|key:value|``"""
    return dict(part.split(":", 1) for part in text.split("|") if ":" in part)


# -- label images ------------------------------------------------------------------------------------------------------


def _read_labels(path: Path) -> Volume:
    try:
        volume = read_nifti(path) if is_nifti_name(path) else read_itk(path)
    except SegmentationError as error:
        raise SegmentationError(
            "SEGMENTATION_UNREADABLE", detail=f"its image is not suitable ({error.code})"
        ) from error
    array = volume.array
    if array.dtype.kind == "f":
        if not np.array_equal(array, np.rint(array)):
            raise SegmentationError("SEGMENTATION_UNREADABLE", detail="its values are not whole numbers")
        array = array.astype(np.int32)
    return Volume(array, volume.geometry)


def _label_image(volume: Volume, labels: str | None, path: Path) -> Segmentation:
    present = [int(value) for value in np.unique(volume.array) if value > 0]
    layer = Layer(volume.array, volume.geometry)
    if labels is not None:
        rows = {row.label: row for row in structure_table(labels)}
        unknown = [value for value in present if value not in rows]
        if unknown:
            raise SegmentationError("EXPORT_LABELS_UNNAMED", count=len(unknown))
        segments = [
            Segment(row.name, row.display_name, row.colour, 0, row.label, {}, row)
            for row in (rows[value] for value in present)
        ]
    elif len(present) > 1:
        raise SegmentationError("EXPORT_LABELS_UNNAMED", count=len(present))
    else:
        name = path.name.split(".")[0]
        row = structure_of(name, name, {})
        colour = row.colour if row is not None else _UNNAMED_COLOUR
        segments = [Segment(name, name, colour, 0, value, {}, row) for value in present or [1]]
    return Segmentation(tuple(segments), (layer,))
