"""Tells archives and files of unknown formats from images before an image reader gets them."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.imaging.image_files import is_nifti_name
from TotalSegmentatorEngine.imaging.itk_names import itk_name

_ARCHIVES = (
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"PK\x05\x06", "ZIP"),
    (0, b"PK\x07\x08", "ZIP"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (257, b"ustar", "TAR"),
    (0, b"BZh", "BZIP2"),
    (0, b"\xfd7zXZ\x00", "XZ"),
    (0, b"\x28\xb5\x2f\xfd", "ZSTD"),
)
"""Where the signature stands, the signature, and what it is: those of libmagic's file archive and compress."""

_GZIP = b"\x1f\x8b"

_IMAGE_ENDINGS = (
    ".dcm",
    ".dicom",
    ".dic",
    ".ima",
    ".nrrd",
    ".nhdr",
    ".mha",
    ".mhd",
    ".hdr",
    ".img",
    ".img.gz",
    ".vtk",
    ".gipl",
    ".gipl.gz",
)
"""Beside NIfTI's. A file with one of them that cannot be read is damaged; no need to ask for its format."""


def check_kind(path: Path) -> None:
    """``path``: a file that is no DICOM file.

    Raises SegmentationError: INPUT_ARCHIVE, INPUT_FORMAT_UNKNOWN for what no image reader takes, INPUT_UNREADABLE for a
    file that cannot be opened.
    """
    try:
        with path.open("rb") as stream:
            start = stream.read(512)
    except OSError:
        raise SegmentationError("INPUT_UNREADABLE", file=path.name) from None
    kind = next((kind for at, magic, kind in _ARCHIVES if start[at : at + len(magic)] == magic), None)
    name = path.name.lower()
    if kind is not None:
        raise SegmentationError("INPUT_ARCHIVE", kind=kind)
    if is_nifti_name(path) or name.endswith(_IMAGE_ENDINGS):
        return
    if start[:2] == _GZIP:
        raise SegmentationError("INPUT_ARCHIVE", kind="TAR, GZIP" if name.endswith((".tar.gz", ".tgz")) else "GZIP")
    if not _is_known_to_itk(path):
        raise SegmentationError("INPUT_FORMAT_UNKNOWN", suffix=path.suffix.lower() or "missing")


def _is_known_to_itk(path: Path) -> bool:
    import SimpleITK

    with itk_name(path) as name:
        return bool(SimpleITK.ImageFileReader.GetImageIOFromFileName(name))
