"""What the panel can export to, and which of its choices each format takes."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _

RTSTRUCT = "rtstruct"

NAMES, OUTLINE, SET_LABEL, CONTOURS, SPACE = "names", "outline", "set-label", "contours", "space"
"""Choices that not every format takes."""
_WITH_OUTLINE = frozenset({NAMES, OUTLINE})
_NO_OVERLAP = frozenset({NAMES})
"""The body's outline overlaps everything, which one label a voxel cannot tell."""


@dataclass(frozen=True)
class ExportFormat:
    """One line of the list."""

    id: str
    """As it is remembered in the settings."""
    kind: str
    """The command line's --to."""
    suffix: str
    """Of the file; empty where a folder is written."""
    is_dicom: bool = False
    takes: frozenset[str] = _WITH_OUTLINE
    arguments: tuple[str, ...] = ()


EXPORT_FORMATS = (
    ExportFormat(RTSTRUCT, RTSTRUCT, ".dcm", True, _WITH_OUTLINE | {SET_LABEL, CONTOURS}),
    ExportFormat("seg-binary", "seg", ".dcm", True, _WITH_OUTLINE | {SET_LABEL}, ("--encoding", "binary")),
    ExportFormat("seg-labelmap", "seg", ".dcm", True, _NO_OVERLAP | {SET_LABEL}, ("--encoding", "labelmap")),
    ExportFormat("nrrd", "nrrd", ".seg.nrrd"),
    ExportFormat("nifti", "nifti", ".nii.gz", takes=_NO_OVERLAP),
    ExportFormat("stl", "stl", "", takes=_WITH_OUTLINE | {SPACE}),
    ExportFormat("ply", "ply", "", takes=_WITH_OUTLINE | {SPACE}),
    ExportFormat("obj", "obj", "", takes=_WITH_OUTLINE | {SPACE}),
    ExportFormat("gltf", "gltf", ".glb", takes=_WITH_OUTLINE | {SPACE}),
    ExportFormat("volumes", "volumes", ".csv"),
)


def format_titles() -> dict[str, str]:
    """Format ids to what the list shows."""
    return {
        RTSTRUCT: _("RT Structure Set (DICOM)"),
        "seg-binary": _("DICOM Segmentation"),
        "seg-labelmap": _("DICOM Segmentation, label map (requires a recent reader)"),
        "nrrd": _("NRRD segmentation"),
        "nifti": _("NIfTI label image with a table"),
        "stl": _("STL surfaces"),
        "ply": _("PLY surfaces"),
        "obj": _("OBJ surfaces"),
        "gltf": _("glTF scene of surfaces"),
        "volumes": _("CSV table of volumes"),
    }


def format_of(format_id: str) -> ExportFormat:
    """The format of this id; the first one where there is none, as after an update."""
    return next((known for known in EXPORT_FORMATS if known.id == format_id), EXPORT_FORMATS[0])
