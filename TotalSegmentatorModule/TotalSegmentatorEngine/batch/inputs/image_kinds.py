"""Tells image files that may be CTs from segmentations and label images, which often lie beside them."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np

from TotalSegmentatorEngine.imaging.image_files import is_nifti_name
from TotalSegmentatorEngine.imaging.itk_names import itk_name

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")

_NAMED = re.compile(r"(?:^|[^a-z])(?:seg|segs|segmentation|segmentations|mask|masks|label|labels|labelmap)(?:[^a-z]|$)")
"""In a file's name, without its suffix and in lower case."""
_CT_TYPES = ("int16", "int32", "float32")
"""In others few CTs and many label images are stored."""
_LABEL_INTENT = 1002
"""NIfTI-1, nifti1.h: NIFTI_INTENT_LABEL."""
_EQUAL_NEIGHBOURS = 0.7
"""Share of neighbouring voxels with the same value, where background is left out: noise makes it small in a CT."""
_NRRD_HEADER_BYTES = 1 << 16

_log = logging.getLogger(__name__)


def is_image_name(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def is_segmentation(path: Path) -> bool | None:
    """None for what cannot be read: the reading of the CT says why. Where other files count than before, raise
    image_verdicts.RULES."""
    name = path.name.lower()
    if name.endswith(".seg.nrrd"):
        return True
    try:
        if name.endswith((".nrrd", ".nhdr")) and _has_segments(path):
            return True
        stored, intent = _stored_type(path)
        if intent == _LABEL_INTENT:
            return True
        is_named = _NAMED.search(name[: -len(next(suffix for suffix in SUFFIXES if name.endswith(suffix)))])
        return (stored not in _CT_TYPES or bool(is_named)) and _holds_labels(voxels_of(path))
    except Exception as error:  # noqa: BLE001 - nibabel and SimpleITK raise any kind of exception for damaged bytes
        _log.info("the kind of an image is unknown (%s)", type(error).__name__)
        return None


def _has_segments(path: Path) -> bool:
    with path.open("rb") as stream:
        header = stream.read(_NRRD_HEADER_BYTES).split(b"\n\n")[0].split(b"\r\n\r\n")[0]
    return b"\nSegment0_" in header


def _stored_type(path: Path) -> tuple[str, int]:
    """NumPy's name of the type, "other" where it matters no more, and NIfTI's code of the intent."""
    if is_nifti_name(path):
        import nibabel

        header = nibabel.load(path).header
        return header.get_data_dtype().name, int(header["intent_code"])
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    with itk_name(path) as name:
        reader.SetFileName(str(name))
        reader.ReadImageInformation()
    types = {SimpleITK.sitkInt16: "int16", SimpleITK.sitkInt32: "int32", SimpleITK.sitkFloat32: "float32"}
    return types.get(reader.GetPixelID(), "other"), 0


def voxels_of(path: Path) -> np.ndarray:
    if is_nifti_name(path):
        import nibabel

        return np.asarray(nibabel.load(path).dataobj).T
    import SimpleITK

    with itk_name(path) as name:
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(name)))


def _holds_labels(voxels: np.ndarray) -> bool:
    """Whole numbers from 0 on, in patches of one value."""
    if voxels.size == 0 or voxels.min() < 0 or (voxels.dtype.kind == "f" and np.any(voxels != np.round(voxels))):
        return False
    first, second = voxels[..., :-1], voxels[..., 1:]
    inside = (first != 0) & (second != 0)
    count = int(np.count_nonzero(inside))
    return count == 0 or np.count_nonzero((first == second) & inside) > _EQUAL_NEIGHBOURS * count
