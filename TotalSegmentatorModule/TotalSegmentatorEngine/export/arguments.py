"""The arguments of ``export`` and ``compare``, and what ``segment --export`` takes of them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import names, not_negative
from TotalSegmentatorWire.command.command_run import add_run_files
from TotalSegmentatorWire.tables.export_formats import ENCODINGS, FORMATS, HOLES, NAME_KINDS, SPACES
from TotalSegmentatorWire.tables.review_state import ReviewState
from TotalSegmentatorWire.tables.structures import LABEL_TABLES

TRANSFER_OPTION = "--transferred"


def add_export_commands(commands: Any, is_transfer: bool = False, **described: Any) -> None:
    """``described``: epilog and formatter of all commands. ``is_transfer``: they get no SEGMENTATION or OURS, but
    what the Slicer module wrote; argparse cannot leave out a first positional that stands before options."""
    export = commands.add_parser(
        "export", help="write structures for planning systems, archives and other programs", **described
    )
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
        help="file; folder for surfaces in files of their own and for DICOM of a CT that did not come from DICOM",
    )
    export.add_argument(
        TRANSFER_OPTION, type=Path, metavar="DIR", help="in place of SEGMENTATION: what the Slicer module wrote"
    )
    export.add_argument("--to", required=True, choices=tuple(FORMATS), help="format")
    export.add_argument(
        "--reference", type=Path, metavar="CT", help="the CT: its DICOM folder, or a file; needed for DICOM formats"
    )
    export.add_argument(
        "--labels", choices=LABEL_TABLES, help="what the values of a label image mean; a single value needs none"
    )
    export.add_argument("--structures", type=names, metavar="NAME,NAME", help="only these; the default is all")
    export.add_argument(
        "--states",
        type=_states,
        metavar="STATE,STATE",
        help="only these: unreviewed, edited, approved, rejected; the default is all but rejected",
    )
    add_export_options(export)
    group = export.add_argument_group("contours (rtstruct)")
    group.add_argument("--smooth-contours", action="store_true", help="smooth them in their planes; off by default")
    group.add_argument(
        "--smallest-island",
        type=not_negative("an area in square millimetres"),
        default=0.0,
        metavar="MM2",
        help="leave out contours that enclose less than this many square mm; the default keeps all",
    )
    add_run_files(export)

    compare = commands.add_parser(
        "compare", help="compare two segmentations of a CT: Dice, Hausdorff distance, volumes", **described
    )
    if not is_transfer:
        compare.add_argument("ours", type=Path, metavar="OURS", help="segmentation file, DICOM SEG or RT Structure Set")
    compare.add_argument("theirs", type=Path, metavar="THEIRS", help="likewise; the one that is compared with")
    compare.add_argument(
        TRANSFER_OPTION, type=Path, metavar="DIR", help="in place of OURS and CT: what the Slicer module wrote"
    )
    compare.add_argument(
        "--reference", type=Path, required=not is_transfer, metavar="CT", help="DICOM folder of the CT"
    )
    compare.add_argument("--labels", choices=LABEL_TABLES, help="what the values of a label image mean")
    compare.add_argument(
        "--pairs",
        type=Path,
        metavar="FILE",
        help="CSV with the columns ours,theirs, or a template, that says which names mean the same",
    )
    compare.add_argument("--csv", type=Path, metavar="FILE", help="write the table there too")
    add_run_files(compare)


def add_export_options(command: argparse.ArgumentParser) -> None:
    """How structures go out, whatever they come from."""
    group = command.add_argument_group("how the structures go out")
    group.add_argument(
        "--template",
        metavar="NAME|FILE",
        help="which structures and unions, in which order and with which names: all, planning, ... or a file",
    )
    group.add_argument(
        "--names", choices=NAME_KINDS, default=NAME_KINDS[0], help="TG-263 names (default) or the segments' own"
    )
    group.add_argument("--external", action="store_true", help="the outline of the body too")
    group.add_argument(
        "--set-label", metavar="TEXT", help="label of the structure set (16 characters), or description of the SEG"
    )
    group.add_argument(
        "--holes",
        choices=HOLES,
        default=HOLES[0],
        help="rtstruct: holes joined to the contour around them (default), or contours of their own",
    )
    group.add_argument("--encoding", choices=ENCODINGS, default=ENCODINGS[0], help="of a DICOM SEG")
    group.add_argument("--space", choices=SPACES, default=SPACES[0], help="of surfaces")


def _states(text: str) -> frozenset[ReviewState]:
    try:
        return frozenset(ReviewState(name) for name in names(text))
    except ValueError:
        known = ", ".join(state.value for state in ReviewState)
        raise argparse.ArgumentTypeError(f"give some of {known}") from None
