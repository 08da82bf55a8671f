"""Writes the result as a file: a segmentation that Slicer opens (.seg.nrrd) or a plain label image (.nrrd, .nii.gz).

The grid is exactly the input's, left-handed and oblique ones too. A file appears under its name only when it is
complete: it is written under a temporary name beside it, which goes whatever happens.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.errors import SegmentationError
from TotalSegmentatorWire.result_tags import provenance_tags
from TotalSegmentatorWire.structures import Structure

from .geometry import Geometry
from .parallel_gzip import write_gzip
from .result_files import check_disk_space
from .task import SegmentationResult

SUFFIXES = (".seg.nrrd", ".nrrd", ".nii.gz")
COMPRESSION_LEVEL = 1
"""Of gzip: label images shrink to a few per cent at any level, and level 1 is four times as fast as the usual 6."""

_NO_EXTENSIONS = bytes(4)
"""Follows a NIfTI header that has no extensions."""
_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def check_output(path: Path, shape: tuple[int, int, int] | None = None) -> None:
    """Tells early, before anything is computed, that the result could not be written to ``path``.

    With ``shape`` (k, j, i) the disk must have room for the labels as they are, one byte a voxel: an upper bound.
    Raises SegmentationError: OUTPUT_FORMAT, OUTPUT_NOT_WRITABLE, DISK_FULL.
    """
    if not path.name.lower().endswith(SUFFIXES):
        raise SegmentationError("OUTPUT_FORMAT", suffix=path.suffix or "without a suffix")
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise SegmentationError("OUTPUT_NOT_WRITABLE")
    if shape is not None:
        check_disk_space(folder, int(np.prod(shape)))


def write_result(
    path: Path, result: SegmentationResult, geometry: Geometry, check_cancelled: Callable[[], None] = lambda: None
) -> None:
    """Write ``result.labels`` (uint8, (k, j, i) of ``geometry``) to ``path``, replacing a file of that name.

    ``.seg.nrrd``: one layer with a segment per found structure: its name as id, its display name, colour, terminology
    and tags; absent structures are not made into empty segments. ``.nrrd`` and ``.nii.gz``: the label values alone.
    Raises SegmentationError: OUTPUT_FORMAT, OUTPUT_NOT_WRITABLE, DISK_FULL, and what ``check_cancelled`` raises.
    """
    if result.labels.shape != geometry.shape:
        raise ValueError(f"labels {result.labels.shape} and grid {geometry.shape} differ in shape")
    check_output(path, geometry.shape)
    labels = np.ascontiguousarray(result.labels, dtype=np.uint8)
    temporary = path.parent / f".{secrets.token_hex(8)}.part"
    try:
        with temporary.open("xb") as stream:
            if path.name.lower().endswith(".nii.gz"):
                _write_nifti(stream, labels, geometry, check_cancelled)
            else:
                segments = _segment_fields(result) if path.name.lower().endswith(".seg.nrrd") else []
                _write_nrrd(stream, labels, geometry, segments, check_cancelled)
        temporary.replace(path)
    except OSError as error:
        if error.errno in _NO_SPACE:
            free_mb = shutil.disk_usage(path.parent).free / 1e6
            raise SegmentationError("DISK_FULL", needed_mb=labels.nbytes / 1e6, free_mb=free_mb) from error
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
    finally:
        temporary.unlink(missing_ok=True)


# -- NRRD --------------------------------------------------------------------------------------------------------------


def _write_nrrd(
    stream: BinaryIO,
    labels: np.ndarray,
    geometry: Geometry,
    fields: list[tuple[str, str]],
    check_cancelled: Callable[[], None],
) -> None:
    """NRRD by its definition (teem.sourceforge.net/nrrd/format.html): header lines, an empty line, gzipped voxels."""
    stream.write("\n".join(_nrrd_header(geometry, fields)).encode("utf-8") + b"\n\n")
    write_gzip(stream, [memoryview(labels)], COMPRESSION_LEVEL, check_cancelled)


def _nrrd_header(geometry: Geometry, fields: list[tuple[str, str]]) -> Iterator[str]:
    slices, rows, columns = geometry.shape
    axes = " ".join(_vector(geometry.ijk_to_lps[:3, axis]) for axis in range(3))
    yield "NRRD0004"
    yield "type: unsigned char"
    yield "dimension: 3"
    yield "space: left-posterior-superior"
    yield f"sizes: {columns} {rows} {slices}"
    yield f"space directions: {axes}"
    yield "kinds: domain domain domain"
    yield "encoding: gzip"
    yield "space origin: " + _vector(geometry.ijk_to_lps[:3, 3])
    for key, value in fields:
        yield f"{key}:={value}"


def _vector(values: np.ndarray) -> str:
    return "(" + ",".join(repr(float(value) + 0.0) for value in values) + ")"  # + 0.0 turns -0.0 into 0.0


def _segment_fields(result: SegmentationResult) -> list[tuple[str, str]]:
    """Slicer's own keys: Docs/developer_guide/modules/segmentations.md in Slicer's source."""
    fields = [
        ("Segmentation_ContainedRepresentationNames", "Binary labelmap|"),
        ("Segmentation_MasterRepresentation", "Binary labelmap"),
        ("Segmentation_ReferenceImageExtentOffset", "0 0 0"),
    ]
    structures = {structure.label: structure for structure in result.structures}
    for number, found in enumerate(sorted(result.found, key=lambda found: found.label)):
        structure = structures[found.label]
        values = {
            "ID": _one_line(structure.name),
            "Name": _one_line(structure.display_name),
            "NameAutoGenerated": "0",
            "Color": " ".join(f"{channel / 255:.6f}" for channel in structure.colour),
            "ColorAutoGenerated": "0",
            "LabelValue": str(found.label),
            "Layer": "0",
            "Extent": " ".join(str(index) for index in found.extent),
            "Tags": "".join(f"{key}:{_tag_value(value)}|" for key, value in segment_tags(structure, result).items()),
        }
        fields += [(f"Segment{number}_{key}", value) for key, value in values.items()]
    return fields


def segment_tags(structure: Structure, result: SegmentationResult) -> dict[str, str]:
    """Tags of one segment: its coded meaning, and how it was made."""
    return {
        "TerminologyEntry": structure.terminology,
        "DICOM.SegmentAlgorithmType": "AUTOMATIC",
        "DICOM.SegmentAlgorithmName": ALGORITHM_NAME,
        **provenance_tags(result.model, result.profile, ENGINE_VERSION, result.options.to_json()),
    }


def _tag_value(value: str) -> str:
    """The bar ends a tag in the header, so a value must not hold one."""
    return _one_line(value).replace("|", "/")


def _one_line(value: str) -> str:
    """NRRD takes backslashes for escapes and a line end for the end of the value."""
    return " ".join(value.replace("\\", "/").split())


# -- NIfTI -------------------------------------------------------------------------------------------------------------


def _write_nifti(stream: BinaryIO, labels: np.ndarray, geometry: Geometry, check_cancelled: Callable[[], None]) -> None:
    """sform and qform both hold the grid, as float32: readers differ in which they take."""
    import nibabel

    header = nibabel.Nifti1Image(labels.T, geometry.ijk_to_ras).header
    header.set_xyzt_units("mm")
    header.set_sform(geometry.ijk_to_ras, code=1)
    header.set_qform(geometry.ijk_to_ras, code=1)
    header["vox_offset"] = len(header.binaryblock) + len(_NO_EXTENSIONS)
    write_gzip(stream, [header.binaryblock, _NO_EXTENSIONS, memoryview(labels)], COMPRESSION_LEVEL, check_cancelled)
