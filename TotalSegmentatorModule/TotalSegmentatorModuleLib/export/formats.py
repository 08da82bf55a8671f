"""What the panel can export to, and which of its choices each format takes."""

from __future__ import annotations

from dataclasses import dataclass

from slicer.i18n import tr as _
from TotalSegmentatorWire.tables.export_formats import ENCODINGS, FORMATS, Format


@dataclass(frozen=True)
class ExportFormat:
    """One line of the list."""

    id: str
    """As it is remembered in the settings."""
    kind: Format
    encoding: str = ""
    """Of a DICOM SEG, each of which has a line of its own."""
    own_suffix: str = ""
    """Of a review sheet, each of which has a line of its own."""

    @property
    def suffix(self) -> str:
        """Of the file; empty where a folder is written."""
        return self.own_suffix or next(iter(self.kind.suffixes), "")

    @property
    def takes_outline(self) -> bool:
        """The body's outline overlaps everything, and nobody reviews it."""
        return not self.kind.is_sheet and not self.kind.holds_one_label(self.suffix, self.encoding)


EXPORT_FORMATS = (
    ExportFormat("rtstruct", FORMATS["rtstruct"]),
    *(ExportFormat(f"seg-{encoding}", FORMATS["seg"], encoding) for encoding in ENCODINGS),
    *(ExportFormat(kind, FORMATS[kind]) for kind in ("sr", "nrrd", "nifti", "stl", "ply", "obj", "gltf", "volumes")),
    *(
        ExportFormat(f"review-{suffix[1:]}", FORMATS["review"], own_suffix=suffix)
        for suffix in FORMATS["review"].suffixes
    ),
)


def format_titles() -> dict[str, str]:
    """Format ids to what the list shows."""
    return {
        "rtstruct": _("RT Structure Set (DICOM)"),
        "seg-binary": _("DICOM Segmentation"),
        "seg-labelmap": _("DICOM Segmentation, label map"),
        "sr": _("DICOM SR (volumes, HU)"),
        "nrrd": _("NRRD segmentation"),
        "nifti": _("NIfTI label image and table"),
        "stl": _("STL surfaces"),
        "ply": _("PLY surfaces"),
        "obj": _("OBJ surfaces"),
        "gltf": _("glTF scene of surfaces"),
        "volumes": _("CSV table of volumes"),
        "review-pdf": _("Review sheet (PDF)"),
        "review-html": _("Review sheet for browsers (HTML)"),
        "review-json": _("Content of the review sheet (JSON)"),
    }


def format_of(format_id: str) -> ExportFormat:
    """The format with this id; the first one if there is none, for example after an update."""
    return next((known for known in EXPORT_FORMATS if known.id == format_id), EXPORT_FORMATS[0])
