"""How much room an export needs, estimated before the segmentation that it exports is computed."""

from __future__ import annotations

import math

from TotalSegmentatorWire.tables.export_formats import LABELMAP

from TotalSegmentatorEngine.export.order import ExportOrder
from TotalSegmentatorEngine.imaging.atomic_file import check_disk_space

_BYTES_PER_VOXEL = {
    "rtstruct": 0.2,
    "seg": 1.0,
    "sr": 1.0,
    "nifti": 0.1,
    "nrrd": 0.1,
    "stl": 0.5,
    "ply": 0.5,
    "obj": 0.5,
    "gltf": 0.5,
    "volumes": 0.0,
    "review": 0.0,
}
"""Of the CT and of one layer. About what all 104 structures of a body scan take: label images are compressed, contours
and surfaces are only the boundaries; a binary SEG has a bit for each pixel of the slices that a structure touches, and
lies there twice while it is written. A measurement report is written with such a SEG."""
_CT_BYTES_PER_VOXEL = 2.0


def check_disk_for_export(order: ExportOrder, shape: tuple[int, int, int], is_dicom: bool, layers: int = 1) -> None:
    """``shape`` (k, j, i): the CT's; ``is_dicom``: whether it is a DICOM series; if not, DICOM formats write one.
    ``layers``: most that the result may have, each as full as the labels of one model; a file of several models holds
    the structures of all.

    Raises SegmentationError("DISK_FULL").
    """
    per_voxel = _BYTES_PER_VOXEL[order.format] * layers
    if order.format == "seg" and order.encoding == LABELMAP:
        per_voxel *= 2  # a byte a voxel, twice
    if order.kind.is_dicom and not is_dicom:
        per_voxel += _CT_BYTES_PER_VOXEL
    check_disk_space(order.output.parent, int(math.prod(shape) * per_voxel))
