"""Finds the voxels of any file that SimpleITK reads and that can be checked."""

from __future__ import annotations

from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.payloads import metaimage, nrrd
from TotalSegmentatorEngine.payloads.other_formats import find_gipl, find_mrc, find_pair, find_vtk
from TotalSegmentatorEngine.payloads.payload import Payload, damaged


def find_payload(path: Path) -> Payload | None:
    """None where the voxels are text or the format is one that only its library can check (TIFF, HDF5, ...).

    Raises SegmentationError("INPUT_DAMAGED").
    """
    name = path.name.lower()
    try:
        with path.open("rb") as stream:
            start = stream.read(16)
        if start.startswith(nrrd.MAGIC):
            return nrrd.find_nrrd(path)
        if name.endswith(metaimage.SUFFIXES):
            return metaimage.find_metaimage(path)
        if start.lower().startswith(b"# vtk"):
            return find_vtk(path)
        if name.endswith((".gipl", ".gipl.gz")):
            return find_gipl(path)
        if name.endswith((".mrc", ".rec")):
            return find_mrc(path)
        if name.endswith((".hdr", ".img", ".img.gz")):
            return find_pair(path)
    except SegmentationError:
        raise
    except (OSError, ValueError, IndexError, OverflowError):
        raise damaged(path, "its header is damaged") from None
    return None
