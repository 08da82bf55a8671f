"""The arguments of ``export`` and ``compare``, and what ``segment --export`` takes of them."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.command.argument_types import names, not_negative, options_from
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.command.parser import PROGRAM
from TotalSegmentatorWire.messages.comparison import TOLERANCE_MM
from TotalSegmentatorWire.tables.export_formats import ENCODINGS, FORMATS, HOLES, NAME_KINDS, SPACES
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import LABEL_TABLES

if TYPE_CHECKING:
    from TotalSegmentatorEngine.export.order import ExportOrder

TRANSFER_OPTION = "--transferred"
REPORT_OPTION = "--report"
"""Makes a comparison one of many pairs."""


@dataclass(frozen=True)
class ExportOptions:
    order: ExportOrder
    files: RunFiles
    segmentation: Path | None = None
    """None where ``transferred`` is given."""
    transferred: Path | None = None
    """What the Slicer module wrote."""
    reference: Path | None = None
    series: str | None = None
    """Which series of ``reference``."""
    labels: str | None = None
    """One of LABEL_TABLES, or the path of a CSV file."""
    computed: Path | None = None
    """For a review sheet: what the model computed."""


@dataclass(frozen=True)
class CompareOptions:
    theirs: Path
    files: RunFiles
    ours: Path | None = None
    """None where ``transferred`` is given."""
    transferred: Path | None = None
    reference: Path | None = None
    series: str | None = None
    labels: str | None = None
    pairs: Path | None = None
    csv: Path | None = None
    tolerance_mm: float = TOLERANCE_MM


@dataclass(frozen=True)
class CohortOptions:
    """Of a comparison of many pairs."""

    pairs_of_files: Path
    """A folder with a sub-folder for each pair, or a list (.csv)."""
    report: Path
    files: RunFiles
    labels: str | None = None
    pairs: Path | None = None
    """Names of the same structure."""
    tolerance_mm: float = TOLERANCE_MM
    model: str | None = None
    """Id of the catalogue's model that made ours, where the files do not say so."""
    keep_names: bool = False
    """Whether the report holds the names of pairs and structures as somebody typed them."""


def order_from(parsed: argparse.Namespace, **given: Any) -> ExportOrder:
    """What ``export`` and ``segment --export`` were asked for; the latter has some of the options only."""
    from TotalSegmentatorEngine.export.order import ExportOrder  # takes time that other commands need not spend

    return options_from(parsed, ExportOrder, **given)


def _export_options(parsed: argparse.Namespace) -> ExportOptions:
    return options_from(parsed, ExportOptions, order=order_from(parsed), files=options_from(parsed, RunFiles))


def _compare_options(parsed: argparse.Namespace) -> CompareOptions | CohortOptions:
    kind = CompareOptions if parsed.report is None else CohortOptions
    return options_from(parsed, kind, files=options_from(parsed, RunFiles))


def add_export_commands(commands: Any, is_transfer: bool = False, is_cohort: bool = False) -> None:
    """``is_transfer``: they get no SEGMENTATION or OURS, but what the Slicer module wrote; ``is_cohort``: ``compare``
    gets many pairs. argparse cannot leave out a positional that stands before options."""
    export = commands.add_parser("export", help="write structures for other programs", description=_EXPORT)
    if not is_transfer:
        export.add_argument(
            "segmentation",
            type=Path,
            metavar="SEGMENTATION",
            help=".seg.nrrd file, label image (.nrrd, .nii.gz), DICOM SEG or RT Structure Set",
        )
    export.add_argument(
        "output",
        type=Path,
        metavar="OUTPUT",
        help="file, or folder for stl, ply and obj; also a folder for DICOM formats if the CT is not DICOM",
    )
    export.add_argument("--to", required=True, dest="format", choices=tuple(FORMATS), help="format to write")
    export.add_argument(
        "--reference",
        type=Path,
        metavar="CT",
        help="the CT: DICOM folder, one file of a DICOM series, or image file; required for DICOM formats",
    )
    add_series(export, "the default is the series that SEGMENTATION refers to")
    add_labels(export)
    export.add_argument(
        "--structures", type=names, metavar="NAME,NAME", help="only these structures, by any of their names"
    )
    export.add_argument(
        "--states",
        type=_states,
        metavar="STATE,STATE",
        help=f"only structures in these review states: {_STATES}; the default is all but rejected, for a review sheet "
        "all",
    )
    add_export_options(export)
    export.add_argument(
        "--seg",
        type=Path,
        metavar="FILE",
        help="sr: existing DICOM SEG of these structures to refer to; by default one is written as NAME.seg.dcm",
    )
    group = export.add_argument_group("contours (rtstruct)")
    group.add_argument("--smooth-contours", action="store_true", help="smooth the contours within their slices")
    group.add_argument(
        "--smallest-island",
        dest="smallest_island_mm2",
        type=not_negative("an area in square millimetres"),
        metavar="MM2",
        help="leave out contours that enclose less than this area in square mm; the default keeps all",
    )
    group = export.add_argument_group("review sheet (review)")
    group.add_argument(
        "--computed",
        type=Path,
        metavar="FILE",
        help="what the model computed, to measure the edits against: a segmentation file, or computed.json of a result",
    )
    group.add_argument(
        "--keep-edits",
        action="store_true",
        help="add the decisions and the sizes of the edits to your table, which the command edits shows; it holds no "
        "patient, user, day or time",
    )
    export.set_defaults(make_options=_export_options)

    compare = commands.add_parser("compare", help="compare two segmentations of a CT", description=_COMPARE)
    if is_cohort:
        compare.add_argument("pairs_of_files", type=Path, metavar="PAIRS")
    else:
        _add_sides(compare, is_transfer)
    add_labels(compare)
    compare.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="names of the same structure: CSV file with the columns ours,theirs, or a template",
    )
    add_tolerance(compare)
    _add_report(compare)
    compare.set_defaults(make_options=_compare_options)
    for command, replaced in ((export, "SEGMENTATION"), (compare, "OURS and CT")):
        add_run_files(command)
        command.add_argument(
            TRANSFER_OPTION,
            type=Path,
            metavar="DIR",
            help=f"instead of {replaced}: folder written by the Slicer module",
        )


def _add_sides(compare: argparse.ArgumentParser, is_transfer: bool) -> None:
    if not is_transfer:
        compare.add_argument("ours", type=Path, metavar="OURS", help="segmentation file, DICOM SEG or RT Structure Set")
    compare.add_argument("theirs", type=Path, metavar="THEIRS", help="segmentation to compare it with")
    compare.add_argument(
        "--reference",
        type=Path,
        metavar="CT",
        help="the CT: DICOM folder, one file of a DICOM series, or image file; a DICOM series is required if OURS or "
        "THEIRS is DICOM, and without a CT both are compared on the voxel grid of OURS",
    )
    add_series(compare, "the default is the series that OURS or THEIRS refers to")
    compare.add_argument("--csv", type=Path, metavar="FILE", help="also write the table to this file")


def _add_report(compare: argparse.ArgumentParser) -> None:
    group = compare.add_argument_group("many pairs (compare PAIRS --report FILE)")
    group.add_argument(
        REPORT_OPTION,
        type=Path,
        metavar="FILE",
        help="compare all pairs of the folder or CSV list PAIRS, and write a report to FILE (.html), with its figures "
        "beside it as NAME.csv and NAME.parquet",
    )
    group.add_argument(
        "--model", metavar="ID", help="model whose published values are shown; the default is the one that OURS names"
    )
    group.add_argument(
        "--keep-names",
        action="store_true",
        help="write the names of pairs and structures as they are; by default pairs have numbers, and a structure "
        "whose name is in no table is called 'other structure': a name can be a patient's",
    )


def add_tolerance(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--tolerance",
        dest="tolerance_mm",
        type=not_negative("a distance in mm"),
        metavar="MM",
        help=f"distance within which surfaces agree, for the surface Dice; the default is {TOLERANCE_MM:g} mm",
    )


def add_labels(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--labels",
        metavar="TABLE|FILE",
        help="names of the label values of a label image that does not contain them: {}, or a CSV file with the "
        "columns label,name".format(", ".join(LABEL_TABLES)),
    )


def add_series(command: argparse.ArgumentParser, default: str) -> None:
    """The option that chooses a CT where a folder holds several; ``default`` says what happens without it."""
    command.add_argument(
        "--series",
        metavar="ROW|UID",
        help="CT series, if the folder contains several: a row of the list that is then printed, such as 3 or 3.2, "
        f"or a Series Instance UID; {default}",
    )


def add_export_options(command: argparse.ArgumentParser) -> None:
    """How structures are written, whatever they come from."""
    group = command.add_argument_group("how structures are written")
    group.add_argument(
        "--template",
        metavar="NAME|FILE",
        help="structures and unions, their order and names: all, planning, ... or a template file",
    )
    group.add_argument(
        "--names", choices=NAME_KINDS, default=NAME_KINDS[0], help="TG-263 names (default) or the segments' own"
    )
    group.add_argument("--external", action="store_true", help="add the outline of the body")
    group.add_argument(
        "--set-label",
        dest="label",
        metavar="TEXT",
        help="label of the structure set (at most 16 characters), series description of the SEG, or its start for "
        "the SR; the default says who made the structures",
    )
    group.add_argument(
        "--holes",
        choices=HOLES,
        default=HOLES[0],
        help="rtstruct: join holes to the contour around them (default), or write them as contours",
    )
    group.add_argument("--encoding", choices=ENCODINGS, default=ENCODINGS[0], help="encoding of a DICOM SEG")
    group.add_argument(
        "--observer",
        metavar="NAME",
        help="sr: person who answers for the measurements, such as Family^Given; by default only the program is named",
    )
    group.add_argument("--space", choices=SPACES, default=SPACES[0], help="coordinate system of surfaces")
    group.add_argument(
        "--with-patient",
        action="store_true",
        help="review: name the patient and the study on the sheet; the default replaces them by a digest",
    )


def _states(text: str) -> frozenset[ReviewState]:
    try:
        return frozenset(ReviewState(name) for name in names(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"give one or more of {_STATES}") from None


_STATES = ", ".join(state.value for state in ReviewState)
_EXPORT = f"""\
Writes structures for planning systems, archives and other programs: DICOM RT Structure Set, SEG and SR (volumes and CT
numbers), label images (NIfTI, NRRD), surfaces (STL, PLY, OBJ, glTF) and a table of volumes (CSV). Structures marked as
rejected are left out.

For DICOM formats, if the CT is not DICOM, specify a folder as OUTPUT: the CT is written there too, as a DICOM series.
If the segmentation was made on a crop of a DICOM series, on its own voxels, specify the whole series as CT.

  {PROGRAM} export organs.seg.nrrd rs.dcm --to rtstruct --reference ct-folder"""
_COMPARE = f"""\
Compares two segmentations of a CT, structure by structure: Dice coefficient, Hausdorff distance (95th percentile), mean
surface distance, surface Dice, added path length and volumes, the worst first. Structures are paired by name; use
--pairs for those whose names differ.

  {PROGRAM} compare organs.seg.nrrd manual-rs.dcm --reference ct-folder

With --report it compares many pairs: PAIRS is a folder with a sub-folder for each pair, in which the names of the CT,
our segmentation and the reference begin with ct, ours and theirs, or a CSV file with the columns name,ct,ours,theirs.
A pair that cannot be compared is named, and the others go on; the exit status is then 1.

  {PROGRAM} compare pairs-folder --report report.html"""
