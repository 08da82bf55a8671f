"""The arguments of the command ``repair``, which the panel starts."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import options_from
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.command.parser import CommandParser
from TotalSegmentatorWire.tables.review_rules import Repair

from TotalSegmentatorEngine.repair.repairs import RepairOrder


@dataclass(frozen=True)
class RepairOptions:
    order: RepairOrder
    transferred: Path
    output: Path
    files: RunFiles


def parse_repair_arguments(arguments: list[str]) -> RepairOptions:
    """Wrong ones end the process (status 2)."""
    parser = CommandParser(prog="repair", description="Mends one structure. The Slicer module starts this command.")
    parser.add_argument("kind", choices=[kind for kind in Repair.ALL if kind not in Repair.BY_NAMES])
    parser.add_argument("--transferred", type=Path, required=True, metavar="DIR", help="what the Slicer module wrote")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="new folder for repair.json")
    parser.add_argument("--segment", dest="segment_id", required=True, metavar="ID")
    parser.add_argument("--other", dest="other_id", metavar="ID", help="the segment that gets the piece")
    parser.add_argument("--new", dest="makes_other", action="store_true", help="the other segment is not there yet")
    parser.add_argument("--place", dest="place_ras_mm", type=_place, metavar="R,A,S", help="in mm")
    parser.add_argument("--smallest", dest="smallest_ml", type=float, metavar="ML", help="smallest island that stays")
    add_run_files(parser)
    parsed: Any = parser.parse_args(arguments)
    order = options_from(parsed, RepairOrder)
    return RepairOptions(order, parsed.transferred, parsed.output, options_from(parsed, RunFiles))


def _place(text: str) -> tuple[float, float, float]:
    try:
        right, front, head = (float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("give three numbers, such as 12.5,-3,400") from None
    return right, front, head
