"""What somebody asked the export for: the format, the place, the structures and how they go out."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.export_formats import (
    BINARY,
    CONTOUR_OPTIONS,
    ENCODING,
    FORMATS,
    KEEP_EDITS,
    KEYHOLE,
    LABEL_IMAGES,
    LPS,
    OBSERVER,
    SEG_FILE,
    SET_LABEL,
    SHEET_DATA_SUFFIX,
    SPACE,
    TG263,
    WITH_PATIENT,
    Format,
)
from TotalSegmentatorWire.tables.review_state import ReviewState

from TotalSegmentatorEngine.ct_input.overwriting import is_input
from TotalSegmentatorEngine.export.dicom.text import (
    MAXIMUM_LONG_STRING,
    MAXIMUM_SHORT_STRING,
    check_person_name,
    check_text,
)
from TotalSegmentatorEngine.export.rois.selection import Choice
from TotalSegmentatorEngine.export.rois.template import load_template, with_structures
from TotalSegmentatorEngine.export.rois.tg263_names import LONGEST_NAME, LONGEST_TEXT
from TotalSegmentatorEngine.imaging.atomic_file import check_place

_FILE_SUFFIXES = {
    ".gz",
    ".nii",
    ".nrrd",
    ".mha",
    ".stl",
    ".ply",
    ".obj",
    ".glb",
    ".gltf",
    ".csv",
    ".dcm",
    ".json",
    ".pdf",
    ".html",
}

TABLE, DICOM_SEG, SHEET_DATA = "table", "DICOM SEG", "JSON file"
"""Files beside the output."""
SEG_SUFFIX = ".seg.dcm"


@dataclass(frozen=True)
class ExportOrder:
    """Every choice has the value that suits most."""

    format: str
    """Id of one of FORMATS."""
    output: Path
    """A file or, for surfaces in files of their own, a folder. For DICOM a folder is right too: the CT series is
    written into it where there is none yet."""
    structures: Sequence[str] | None = None
    states: Collection[ReviewState] | None = None
    template: str | None = None
    """Name of one of the product's templates or presets, or the path of a file."""
    more_structures: Sequence[str] = ()
    """What goes out beside the template's structures."""
    names: str = TG263
    external: bool = False
    label: str | None = None
    """Structure Set Label, Series Description of a SEG, or what a report's begins with; None for the usual one."""
    holes: str = KEYHOLE
    smooth_contours: bool = False
    smallest_island_mm2: float = 0.0
    encoding: str = BINARY
    space: str = LPS
    observer: str | None = None
    """Of a measurement report: a person's name as DICOM has it, "Family^Given"."""
    seg: Path | None = None
    """The DICOM SEG that a measurement report refers to; None to write one beside it."""
    with_patient: bool = False
    """Whether a review sheet names the patient and the study."""
    keep_edits: bool = False
    """Whether a review sheet adds to the table of edits."""

    @property
    def kind(self) -> Format:
        return FORMATS[self.format]

    @property
    def is_into_folder(self) -> bool:
        """Whether ``output`` is a folder."""
        kind = self.kind
        return not kind.suffixes or (kind.is_dicom and not self.output.name.lower().endswith(kind.suffixes))

    @property
    def holds_one_label(self) -> bool:
        """Whether each voxel gets one structure at most."""
        return self.kind.holds_one_label(self.output.name, self.encoding)

    @property
    def companions(self) -> dict[str, Path]:
        """What is written beside the output, by what it is called: the table of a label image's labels, a report's SEG,
        the data of a review sheet. None where the output is a folder, which has no other files yet."""
        if self.format in LABEL_IMAGES:
            return {TABLE: self._beside(".csv")}
        if self.format == "sr" and self.seg is None and not self.is_into_folder:
            return {DICOM_SEG: self._beside(SEG_SUFFIX)}
        if self.kind.is_sheet and not self.output.name.lower().endswith(SHEET_DATA_SUFFIX):
            return {SHEET_DATA: self._beside(SHEET_DATA_SUFFIX)}
        return {}

    def _beside(self, suffix: str) -> Path:
        own = next((known for known in self.kind.suffixes if self.output.name.lower().endswith(known)), "")
        return self.output.with_name(self.output.name[: len(self.output.name) - len(own)] + suffix)

    def choice(self) -> Choice:
        """Raises SegmentationError: TEMPLATE_INVALID, TEMPLATE_UNKNOWN."""
        return Choice(
            structures=self.structures,
            states=tuple(ReviewState) if self.kind.is_sheet and self.states is None else self.states,
            template=with_structures(load_template(self.template), self.more_structures) if self.template else None,
            names=self.names,
            external=self.external,
            longest_name=LONGEST_NAME if self.format == "rtstruct" else LONGEST_TEXT,
        )


def with_preset(order: ExportOrder, preset: str, structures: Sequence[str] = ()) -> ExportOrder:
    """A preset goes out by its own template, with its unions, and ``structures`` beside it, where no other template was
    chosen and structures may overlap."""
    if not preset or order.template is not None or order.holds_one_label:
        return order
    return dataclasses.replace(order, template=preset, more_structures=tuple(structures))


def check_order(order: ExportOrder) -> None:
    """Refuses a wrong order before anything is read.

    Raises SegmentationError: EXPORT_SUFFIX, EXPORT_FOLDER_NOT_EMPTY, EXPORT_FORMAT_MISMATCH, OUTPUT_NOT_WRITABLE,
    EXPORT_NAME_INVALID, SEG_NOT_FOUND, TEMPLATE_INVALID, TEMPLATE_UNKNOWN.
    """
    holes, smooth, island = CONTOUR_OPTIONS
    for option, is_used in (
        (SET_LABEL, order.label is not None),
        (holes, order.holes != KEYHOLE),
        (smooth, order.smooth_contours),
        (island, order.smallest_island_mm2 > 0),
        (ENCODING, order.encoding != BINARY),
        (SPACE, order.space != LPS),
        (OBSERVER, order.observer is not None),
        (SEG_FILE, order.seg is not None),
        (WITH_PATIENT, order.with_patient),
        (KEEP_EDITS, order.keep_edits),
        ("--external", order.external and (order.holds_one_label or order.kind.is_sheet)),
    ):
        if is_used and option not in order.kind.options:
            raise SegmentationError("EXPORT_FORMAT_MISMATCH", option=option, format=order.format)
    if order.label is not None:
        check_text(order.label, MAXIMUM_SHORT_STRING if order.format == "rtstruct" else MAXIMUM_LONG_STRING)
    if order.observer is not None:
        check_person_name(order.observer)
    if order.seg is not None and not order.seg.is_file():
        raise SegmentationError("SEG_NOT_FOUND", file=order.seg.name)
    try:
        _check_place(order)
    except OSError as error:  # a name that the system cannot hold
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
    order.choice()


def _check_place(order: ExportOrder) -> None:
    output, kind = order.output, order.kind
    if order.is_into_folder:
        if output.is_dir() and any(output.iterdir()):
            raise SegmentationError("EXPORT_FOLDER_NOT_EMPTY")
        if not output.is_dir() and output.suffix.lower() in _FILE_SUFFIXES:  # surely no folder was meant
            suffixes = " or ".join(kind.suffixes) or "a folder name, not a file name"
            raise SegmentationError("EXPORT_SUFFIX", format=order.format, suffixes=suffixes)
    elif not output.name.lower().endswith(kind.suffixes):
        raise SegmentationError("EXPORT_SUFFIX", format=order.format, suffixes=" or ".join(kind.suffixes))
    check_place(output / "x" if output.is_dir() else output)


def check_outputs(outputs: Mapping[str, Path | None], inputs: Sequence[Path | None]) -> None:
    """``outputs``: what each file or folder is called, and where it goes. ``inputs``: files, and folders none of whose
    files may be replaced, such as that of the CT.

    Raises SegmentationError: OUTPUT_IS_INPUT, EXPORT_WOULD_OVERWRITE for another file in such a folder and for two
    outputs in one place, OUTPUT_NOT_WRITABLE for a name that the system cannot hold.
    """
    try:
        _check(outputs, inputs)
    except OSError as error:
        raise SegmentationError("OUTPUT_NOT_WRITABLE") from error


def check_companions(order: ExportOrder) -> None:
    """What is written beside the output belongs to it: a file there without an output is somebody else's.

    Raises SegmentationError("EXPORT_WOULD_OVERWRITE").
    """
    for name, path in order.companions.items():
        if path.exists() and not order.output.exists():
            raise SegmentationError("EXPORT_WOULD_OVERWRITE", file=name)


def _check(outputs: Mapping[str, Path | None], inputs: Sequence[Path | None]) -> None:
    read = [path for path in inputs if path is not None and path.exists()]
    written = {name: path for name, path in outputs.items() if path is not None}
    for name, path in written.items():
        if any(is_input(path, source) for source in read):
            raise SegmentationError("OUTPUT_IS_INPUT", file=name)
        if path.is_file() and any(source.is_dir() and source.resolve() in path.resolve().parents for source in read):
            raise SegmentationError("EXPORT_WOULD_OVERWRITE", file=name)
    places = [path.resolve() for path in written.values()]
    for name, path in written.items():
        if places.count(path.resolve()) > 1:
            raise SegmentationError("EXPORT_WOULD_OVERWRITE", file=name)
