"""The commands ``convert-model``, ``check-model`` and ``test-engine``, which the set-up runs in a process of its own.

Each prints one JSON object as its last line: what the model or the engine is, or ``{"problem": {...}}``.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.parser import PROGRAM
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.model_install.smoke_test import reason_of, try_engine


def main(arguments: list[str]) -> int:
    """``arguments`` begin with the command. Returns the exit status; wrong arguments end the process (status 2)."""
    parsed = _parser().parse_args(arguments)
    try:
        answer, status = parsed.run(parsed), 0
    except Exception as error:  # noqa: BLE001 - the last boundary: every problem becomes one line
        problem = problem_of(error)
        answer, status = {"problem": problem.to_json()}, problem.exit_code
    sys.stdout.write(json.dumps(answer) + "\n")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    convert = commands.add_parser("convert-model", help="convert an nnU-Net v1 model to an nnU-Net v2 model folder")
    convert.add_argument("source", type=Path, metavar="SOURCE", help="folder with plans.pkl and fold_*")
    convert.add_argument("target", type=Path, metavar="TARGET", help="<trainer>__<plans>__<configuration>, to be made")
    convert.add_argument("--configuration", choices=("3d_fullres", "3d_lowres"), help="default: as TARGET's name says")
    convert.add_argument("--task", metavar="NAME", help="v1's name of the dataset; default: as the folders say")
    convert.set_defaults(run=lambda given: _convert(given.source, given.target, given.configuration, given.task))
    check = commands.add_parser("check-model", help="check an nnU-Net v2 model folder")
    check.add_argument("folder", type=Path, metavar="FOLDER", help="folder with plans.json, dataset.json and fold_*")
    check.add_argument("--model", metavar="ID", help="the model of the catalogue that it should be")
    check.add_argument("--part", metavar="NAME", help="the part of that model")
    check.add_argument("--rewrite", action="store_true", help="rewrite its weight files so that they hold weights only")
    check.set_defaults(run=lambda given: _check(given.folder, given.model, given.part, given.rewrite))
    test = commands.add_parser("test-engine", help="run a tiny network with the installed packages")
    test.add_argument("--device", default="auto")
    test.set_defaults(run=lambda given: _test(given.device))
    return parser


def _convert(source: Path, target: Path, configuration: str | None, task: str | None) -> dict[str, Any]:
    from TotalSegmentatorEngine.model_install.v1_conversion import convert_model  # loads torch

    return convert_model(source, target, configuration, task).to_json()


def _check(folder: Path, model: str | None, part: str | None, rewrites: bool) -> dict[str, Any]:
    from TotalSegmentatorEngine.model_install.model_check import check_model  # loads torch

    return check_model(folder, model, part, rewrites).to_json()


def _test(device: str) -> dict[str, Any]:
    """A failed test is an answer as well: the command itself succeeds."""
    try:
        return try_engine(device)
    except SegmentationError as error:
        return {"problem": error.problem.to_json()}
    except Exception as error:  # noqa: BLE001 - whatever broken packages raise is the result of this test
        failure = SegmentationError("ENGINE_TEST_FAILED", detail=reason_of(error))
        return {"problem": failure.problem.to_json()}
