"""The formats of an export and the choices that they have. The command line reads them at every start, so this imports
nothing that takes time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A kind of output. ``suffixes`` of the file; none where a folder is written."""

    id: str
    suffixes: tuple[str, ...] = ()
    is_dicom: bool = False
    is_surface: bool = False


FORMATS = {
    known.id: known
    for known in (
        Format("rtstruct", (".dcm",), is_dicom=True),
        Format("seg", (".dcm",), is_dicom=True),
        Format("nifti", (".nii.gz",)),
        Format("nrrd", (".seg.nrrd", ".nrrd")),
        Format("stl", is_surface=True),
        Format("ply", is_surface=True),
        Format("obj", is_surface=True),
        Format("gltf", (".glb",), is_surface=True),
        Format("volumes", (".csv",)),
    )
}
LABEL_IMAGES = ("nifti", "nrrd")
HOLES = ("keyhole", "xor")
ENCODINGS = ("binary", "labelmap")
SPACES = ("lps", "ras")

TG263, OWN = "tg263", "own"
NAME_KINDS = (TG263, OWN)
"""Which names structures get."""
