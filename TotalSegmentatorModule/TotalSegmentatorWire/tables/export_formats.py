"""The formats of an export and the choices that they have, for the command line, the order and the panel. The command
line reads them at every start, so this imports nothing that takes time."""

from __future__ import annotations

from dataclasses import dataclass

KEYHOLE, XOR = HOLES = ("keyhole", "xor")
BINARY, LABELMAP = ENCODINGS = ("binary", "labelmap")
LPS, RAS = SPACES = ("lps", "ras")
TG263, OWN = NAME_KINDS = ("tg263", "own")
"""Which names structures get."""

SET_LABEL, ENCODING, SPACE = "--set-label", "--encoding", "--space"
OBSERVER, SEG_FILE = REPORT_OPTIONS = ("--observer", "--seg")
WITH_PATIENT, KEEP_EDITS = "--with-patient", "--keep-edits"
CONTOUR_OPTIONS = ("--holes", "--smooth-contours", "--smallest-island")
"""Options of the command line that not every format takes; the first of each of these choices is the default."""


@dataclass(frozen=True)
class Format:
    """A kind of output. ``suffixes`` of the file; none where a folder is written."""

    id: str
    suffixes: tuple[str, ...] = ()
    modality: str = ""
    """Of a DICOM object; empty for other formats."""
    options: tuple[str, ...] = ()
    """Those of its own; all formats take the others."""

    @property
    def is_dicom(self) -> bool:
        return bool(self.modality)

    @property
    def is_sheet(self) -> bool:
        """Whether it is a report on all structures, rejected ones too, and needs the CT."""
        return WITH_PATIENT in self.options

    @property
    def is_surface(self) -> bool:
        return SPACE in self.options

    def holds_one_label(self, file_name: str, encoding: str) -> bool:
        """Whether it gives each voxel one structure at most, so that an outline around all has no place."""
        is_plain = self.id == "nrrd" and not file_name.lower().endswith(".seg.nrrd")
        return self.id == "nifti" or is_plain or (ENCODING in self.options and encoding == LABELMAP)


FORMATS = {
    known.id: known
    for known in (
        Format("rtstruct", (".dcm",), "RTSTRUCT", options=(SET_LABEL, *CONTOUR_OPTIONS)),
        Format("seg", (".dcm",), "SEG", options=(SET_LABEL, ENCODING)),
        Format("sr", (".dcm",), "SR", options=(SET_LABEL, *REPORT_OPTIONS)),
        Format("nifti", (".nii.gz",)),
        Format("nrrd", (".seg.nrrd", ".nrrd")),
        Format("stl", options=(SPACE,)),
        Format("ply", options=(SPACE,)),
        Format("obj", options=(SPACE,)),
        Format("gltf", (".glb",), options=(SPACE,)),
        Format("volumes", (".csv",)),
        Format("review", (".pdf", ".html", ".json"), options=(WITH_PATIENT, KEEP_EDITS)),
    )
}
LABEL_IMAGES = ("nifti", "nrrd")
SHEET_DATA_SUFFIX = ".json"
"""Of the format "review": a sheet to read has the same content beside it as data."""
