"""What somebody asked the export for: the format, the place, the structures and how they go out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorEngine.whole_file import check_place
from TotalSegmentatorWire.errors import SegmentationError
from TotalSegmentatorWire.review_state import ReviewState

from .naming import LONGEST_NAME, LONGEST_TEXT
from .roi_selection import TG263, Choice
from .template import load_template


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
HOLES = ("keyhole", "xor")
ENCODINGS = ("binary", "labelmap")
SPACES = ("lps", "ras")


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
    """Name of one of the product's templates, or the path of a file."""
    names: str = TG263
    external: bool = False
    label: str | None = None
    """Structure Set Label, or Series Description of a SEG; None for the format's usual one."""
    holes: str = HOLES[0]
    smooth_contours: bool = False
    smallest_island_mm2: float = 0.0
    encoding: str = ENCODINGS[0]
    space: str = SPACES[0]

    @property
    def kind(self) -> Format:
        return FORMATS[self.format]

    @property
    def is_into_folder(self) -> bool:
        """Whether ``output`` is a folder."""
        kind = self.kind
        return not kind.suffixes or (kind.is_dicom and not self.output.name.lower().endswith(kind.suffixes))

    def choice(self) -> Choice:
        """Raises SegmentationError: TEMPLATE_INVALID, TEMPLATE_UNKNOWN."""
        return Choice(
            structures=self.structures,
            states=self.states,
            template=load_template(self.template) if self.template else None,
            names=self.names,
            external=self.external,
            longest_name=LONGEST_NAME if self.format == "rtstruct" else LONGEST_TEXT,
        )


def check_order(order: ExportOrder) -> None:
    """Tells what is wrong with an order before anything is read.

    Raises SegmentationError: EXPORT_SUFFIX, EXPORT_FOLDER_NOT_EMPTY, EXPORT_FORMAT_MISMATCH, OUTPUT_NOT_WRITABLE,
    TEMPLATE_INVALID, TEMPLATE_UNKNOWN.
    """
    kind = order.kind
    for option, is_used, formats in (
        ("--set-label", order.label is not None, ("rtstruct", "seg")),
        ("--holes", order.holes != HOLES[0], ("rtstruct",)),
        ("--smooth-contours", order.smooth_contours, ("rtstruct",)),
        ("--smallest-island", order.smallest_island_mm2 > 0, ("rtstruct",)),
        ("--encoding", order.encoding != ENCODINGS[0], ("seg",)),
        ("--space", order.space != SPACES[0], tuple(known.id for known in FORMATS.values() if known.is_surface)),
    ):
        if is_used and order.format not in formats:
            raise SegmentationError("EXPORT_FORMAT_MISMATCH", option=option, format=order.format)
    if order.is_into_folder:
        if order.output.is_dir() and any(order.output.iterdir()):
            raise SegmentationError("EXPORT_FOLDER_NOT_EMPTY")
    elif not order.output.name.lower().endswith(kind.suffixes):
        raise SegmentationError("EXPORT_SUFFIX", format=order.format, suffixes=" or ".join(kind.suffixes))
    if order.output.is_dir():
        check_place(order.output / "x")
    else:
        check_place(order.output)
    order.choice()
