"""A set-up that is made up: prints the plan that a test has written, tells made-up progress, installs empty folders.

Started like the real one. FAKE_SETUP names a folder: ``act`` there says what an installation does: "install" (a few
events, then what was asked for is there), "slow" (for ever, but listens to cancel), "deaf" (for ever, hears nothing,
and so does its child, which has a group of its own), "fail" (no route to a server), "die" (ends without a word). Each
call's arguments are added to ``calls.jsonl``. Where ``plan.json`` is missing, the plan cannot be made.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "TotalSegmentatorModule"))

from TotalSegmentatorSetup.packages.python_choice import machine_name
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, WarningEvent, encode
from TotalSegmentatorWire.messages.setup import SETUP_JOB, SetupFinishedEvent, SetupProgressEvent, SetupStep
from TotalSegmentatorWire.tables.catalogue import read_catalogue

FOLDER = Path(os.environ.get("FAKE_SETUP", "."))
HALF = SetupProgressEvent(
    SetupStep.DOWNLOADING_MODEL, "Dataset1", 0.5, 120_000_000, 240_000_000, bytes_per_second=8e6, seconds_left=15.0
)
FAILURE = Problem("NETWORK_NO_ROUTE", {"host": "files.example"})
WARNING = Problem("MIRROR_TRIED", {"host": "files.example", "file": "Dataset1.zip"})
DOCTOR = {"state": "engine_missing", "lines": ["ENGINE: it is not there.", "Seen in /Users/smith/engine"]}


def main(arguments: list[str]) -> int:
    with (FOLDER / "calls.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps([*arguments, *proxy()]) + "\n")
    if "--show" in arguments:
        return show()
    if arguments[0] == "doctor":
        print(json.dumps(DOCTOR))
        return 1
    if arguments[0] == "remove" or arguments[:2] == ["models", "remove"]:
        return 0
    with Path(value(arguments, "--log")).open("a", encoding="utf-8") as log:
        log.write("set-up begins\n")
    return install(arguments, (FOLDER / "act").read_text(encoding="utf-8"))


def proxy() -> list[str]:
    """What the environment names, as an argument for the record."""
    return ["proxy", os.environ["TOTALSEGMENTATOR_PROXY"]] if "TOTALSEGMENTATOR_PROXY" in os.environ else []


def show() -> int:
    plan = FOLDER / "plan.json"
    if plan.is_file():
        print(plan.read_text(encoding="utf-8"))
        return 0
    print("error PYTHON_UNSUPPORTED: No engine packages are available for Python 3.7 on Linux.", file=sys.stderr)
    return 78


def install(arguments: list[str], act: str) -> int:
    emit(arguments, SetupProgressEvent(SetupStep.CHECKING, "", 0.0))
    emit(arguments, WarningEvent(SETUP_JOB, WARNING.to_json()))
    emit(arguments, HALF)
    if act == "die":
        return 3
    if act == "fail":
        emit(arguments, FailedEvent(SETUP_JOB, FAILURE.to_json()))
        return 60
    if act == "deaf":
        subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True, check=True)
    while act == "slow":
        if Path(value(arguments, "--cancel-file")).exists():
            emit(arguments, CancelledEvent(SETUP_JOB))
            return 131
        time.sleep(0.01)
    if arguments[:2] == ["models", "add"]:
        print("117-3mm")
    else:
        models = value(arguments, "--models")
        put_models(models.split(",") if models else [], Path(value(arguments, "--models-folder")))
        put_engine(Path(value(arguments, "--engines-folder")))
    emit(arguments, SetupFinishedEvent(1.0))
    return 0


def put_models(models: Iterable[str], models_folder: Path) -> None:
    """What counts as installed."""
    for model in models:
        for folder in read_catalogue()[model].part_folders(models_folder):
            folder.mkdir(parents=True, exist_ok=True)  # two models may share a network
            (folder / "plans.json").write_text("{}", encoding="utf-8")


def put_engine(engines: Path) -> None:
    """What counts as a complete set of packages for this Python."""
    record = {
        "record": 1,
        "python": None,
        "variant": "cpu",
        "python_version": "{}.{}".format(*sys.version_info[:2]),
        "machine": machine_name(platform.machine()),
        "versions": {"torch": "2.13.0", "nnunetv2": "2.5.1"},
        "device_name": "processor",
        "created": 1.0,
        "bytes": 1_900_000_000,
    }
    folder = engines / "py3.11-fake-0123456789ab"
    (folder / "packages").mkdir(parents=True)
    (folder / "engine.json").write_text(json.dumps(record), encoding="utf-8")


def emit(arguments: list[str], event: object) -> None:
    with Path(value(arguments, "--events")).open("a", encoding="ascii") as stream:
        stream.write(encode(event) + "\n")


def value(arguments: list[str], name: str) -> str:
    return arguments[arguments.index(name) + 1] if name in arguments else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
