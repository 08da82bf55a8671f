"""The arguments of the command ``review``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import names, options_from
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.command.parser import PROGRAM, CommandParser

from TotalSegmentatorEngine.export.arguments import TRANSFER_OPTION, add_labels, add_series


@dataclass(frozen=True)
class ReviewOptions:
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
    coarse: Path | None = None
    """What a coarser model found in the same CT."""
    structures: list[str] | None = None
    """Names of those that are judged; None for all."""
    json: bool = False
    output: Path | None = None
    """The JSON also goes to this file."""
    measures: Path | None = None
    """What was measured of each structure goes to this file."""


def _review_options(parsed: argparse.Namespace) -> ReviewOptions:
    return options_from(parsed, ReviewOptions, files=options_from(parsed, RunFiles))


def add_review_command(commands: Any, is_transfer: bool = False) -> None:
    """``is_transfer``: as for ``add_export_commands``."""
    review = commands.add_parser("review", help="find what is likely wrong in a segmentation", description=_REVIEW)
    if not is_transfer:
        review.add_argument(
            "segmentation",
            type=Path,
            metavar="SEGMENTATION",
            help=".seg.nrrd file, label image (.nrrd, .nii.gz), DICOM SEG or RT Structure Set",
        )
    review.add_argument(
        "--reference",
        type=Path,
        required=not is_transfer,
        metavar="CT",
        help="the CT: DICOM folder, one file of a DICOM series, or image file",
    )
    add_series(review, "the default is the series that SEGMENTATION refers to")
    add_labels(review)
    review.add_argument(
        "--coarse",
        type=Path,
        metavar="SEGMENTATION",
        help="second opinion: what a coarser model found in the same CT; marks where the two differ by more than 6 mm",
    )
    review.add_argument(
        "--structures",
        type=names,
        metavar="NAME,NAME",
        help="judge only these structures, by any of their names",
    )
    review.add_argument("--json", action="store_true", help="print JSON, for programs")
    review.add_argument("--output", type=Path, metavar="FILE", help="also write the JSON to this file")
    if is_transfer:
        review.add_argument("--measures", type=Path, metavar="FILE", help="write what was measured to this file")
    add_run_files(review)
    review.add_argument(
        TRANSFER_OPTION,
        type=Path,
        metavar="DIR",
        help="instead of SEGMENTATION and CT: folder written by the Slicer module",
    )
    review.set_defaults(make_options=_review_options)


def transfer_options(arguments: list[str]) -> ReviewOptions:
    """Of the command's arguments, for a transfer, without its name. Wrong ones end the process (status 2)."""
    parser = CommandParser(prog=PROGRAM)
    add_review_command(parser.add_subparsers(), is_transfer=True)
    parsed = parser.parse_args(["review", *arguments])
    return parsed.make_options(parsed)


_REVIEW = f"""\
Looks for what is likely wrong in a segmentation, and says where to look: structures that are missing, in pieces, on the
wrong side, implausible in size or CT number; vertebrae and ribs out of order. It reviews every structure whose name the
label tables hold, whichever program made it. Structures that the scan cuts are listed too, but need no action.

The exit code is 0 whether or not something is found.

  {PROGRAM} review organs.seg.nrrd --reference ct-folder"""
