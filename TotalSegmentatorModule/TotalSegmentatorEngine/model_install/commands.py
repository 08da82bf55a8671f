"""The commands ``convert-model`` and ``check-model``, which the set-up runs in a process of their own.

Each prints one JSON object as its last line: what the model holds, or ``{"problem": {...}}``.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.machine.memory import memory_short

COMMANDS = ("convert-model", "check-model")
_log = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """``arguments`` begin with the command. Returns the exit status; wrong arguments end the process (status 2)."""
    options = _parser().parse_args(arguments)
    try:
        answer, status = options.run(options), 0
    except Exception as error:  # noqa: BLE001 - the last boundary: every problem is told in one line
        problem = _problem_of(error)
        answer, status = {"problem": problem.to_json()}, problem.exit_code
    sys.stdout.write(json.dumps(answer) + "\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="TotalSegmentatorEngine")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    convert = commands.add_parser("convert-model", help="make an nnU-Net v2 model folder of one of nnU-Net v1")
    convert.add_argument("source", type=Path, metavar="SOURCE", help="folder with plans.pkl and fold_*")
    convert.add_argument("target", type=Path, metavar="TARGET", help="<trainer>__<plans>__<configuration>, to be made")
    convert.add_argument("--configuration", choices=("3d_fullres", "3d_lowres"), help="default: as TARGET's name says")
    convert.add_argument("--task", metavar="NAME", help="v1's name of the dataset; default: as the folders say")
    convert.set_defaults(run=_convert)
    check = commands.add_parser("check-model", help="check an nnU-Net v2 model folder")
    check.add_argument("folder", type=Path, metavar="FOLDER", help="folder with plans.json, dataset.json and fold_*")
    check.add_argument("--model", metavar="ID", help="the model of the catalogue that it is to be")
    check.add_argument("--part", metavar="NAME", help="the part of that model")
    check.add_argument("--rewrite", action="store_true", help="write its weight files anew, with weights only")
    check.set_defaults(run=_check)
    return parser


def _convert(options: argparse.Namespace) -> dict[str, Any]:
    from TotalSegmentatorEngine.model_install.v1_conversion import convert_model  # loads torch

    return convert_model(options.source, options.target, options.configuration, options.task).to_json()


def _check(options: argparse.Namespace) -> dict[str, Any]:
    from TotalSegmentatorEngine.model_install.model_check import check_model  # loads torch

    return check_model(options.folder, options.model, options.part, options.rewrite).to_json()


def _problem_of(error: Exception) -> Problem:
    if isinstance(error, SegmentationError):
        return error.problem
    _log.error("unexpected error", exc_info=error)
    if isinstance(error, ModuleNotFoundError):
        return Problem("ENGINE_MISSING", {"package": error.name or "?"})
    if isinstance(error, MemoryError):
        return memory_short().problem
    return Problem("INTERNAL_ERROR", {"kind": type(error).__name__})
