"""The arguments of the command ``edits``."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.argument_types import options_from
from TotalSegmentatorWire.command.command_run import RunFiles, add_run_files
from TotalSegmentatorWire.command.parser import PROGRAM


@dataclass(frozen=True)
class EditsOptions:
    files: RunFiles
    report: Path | None = None
    delete: bool = False
    table: Path | None = None
    """None for the user's own."""


def _edits_options(parsed: argparse.Namespace) -> EditsOptions:
    return options_from(parsed, EditsOptions, files=options_from(parsed, RunFiles))


def add_edits_command(commands: Any) -> None:
    edits = commands.add_parser("edits", help="show what reviews change over time", description=_EDITS)
    choice = edits.add_mutually_exclusive_group()
    choice.add_argument("--report", type=Path, metavar="FILE", help="write a report with plots to this file (.html)")
    choice.add_argument("--delete", action="store_true", help="delete the table")
    edits.add_argument(
        "--table", type=Path, metavar="FILE", help="another table than yours, for example of another computer"
    )
    add_run_files(edits)
    edits.set_defaults(make_options=_edits_options)


_EDITS = f"""\
Shows how often reviews change what the models compute, by structure, month and version, and which rates are rising. It
reads the table to which review sheets add if that is turned on (export --to review --keep-edits, or in the panel). The
table holds no patient, user, day or time.

  {PROGRAM} edits --report edits.html"""
