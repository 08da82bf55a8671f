"""The command line as a process: what it imports, the chosen packages, a clean end on Ctrl+C, and a real CT."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line_support import PATIENT
from places import MODULE_FOLDER
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import read_input

# -- the process -------------------------------------------------------------------------------------------------------


def environment(**variables: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(MODULE_FOLDER), **variables}


def test_a_missing_model_is_reported_without_reading_the_input_or_torch(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_bytes(b"nothing")
    command = [sys.executable, "-X", "importtime", "-m", "TotalSegmentatorEngine", "segment"]
    command += [str(tmp_path / "ct.nii.gz"), str(tmp_path / "a.nrrd"), "--model", "117-3mm"]
    command += ["--models-folder", str(tmp_path)]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 40
    assert "error MODEL_MISSING: The model '117-3mm' is not installed." in ended.stderr
    imported = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines() if "import time:" in line}
    assert "TotalSegmentatorEngine.cli" in imported and not imported & {"torch", "nnunetv2", "slicer", "vtk"}


@pytest.mark.skipif(os.name == "nt", reason="Windows reports a closed pipe in another way")
@pytest.mark.parametrize("arguments", [["structures", "--model", "104-3mm"], ["--help"], ["models", "list"]])
def test_a_reader_that_goes_away_ends_the_command_quietly(arguments: list[str]) -> None:
    """As ``| head`` does."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "TotalSegmentatorEngine", *arguments]
    try:
        ended = subprocess.run(
            command, env=environment(), stdout=writing, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    finally:
        os.close(writing)
    assert ended.stderr == ""
    assert ended.returncode in ((0, 141) if arguments == ["--help"] else (141,))  # argparse may swallow the error


def test_the_chosen_package_folder_goes_first(tmp_path: Path, ct: Path) -> None:
    """A broken numpy in the chosen folder is what the process finds, and tells; ITK's variable is gone by then."""
    packages = tmp_path / "packages"
    packages.mkdir()
    (packages / "numpy.py").write_text(
        "import os\nraise ModuleNotFoundError('', name=os.environ.get('ITK_AUTOLOAD_PATH', 'variable-gone'))"
    )
    variables = {"TOTALSEGMENTATOR_ENGINE_PACKAGES": str(packages), "ITK_AUTOLOAD_PATH": "/slicer/lib"}
    command = [
        sys.executable,
        "-m",
        "TotalSegmentatorEngine",
        "segment",
        str(ct),
        str(tmp_path / "a.nrrd"),
        "--model",
        "m",
    ]
    ended = subprocess.run(
        command, env=environment(**variables), capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 50
    assert "the package variable-gone was not found" in ended.stderr


SLOW_ENGINE = """
import sys, time
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorEngine.cli.main import main
class Prepared:
    class model:
        id = "m"
        class profile:
            id = "p"
def segment(volume, prepared, cache, reporter, on_preview=None):
    reporter.progress("predicting", 0.0)
    while True:
        try:
            time.sleep(0.01)
        except KeyboardInterrupt as error:
            if {swallows}:
                raise ImportError("a library's own idea of an interruption") from error
            raise
pipeline.prepare, pipeline.segment = lambda task: Prepared, segment
pipeline.prefetch_weights = lambda prepared, cache: None
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX signals")
@pytest.mark.parametrize("swallows", [False, True])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_nothing(tmp_path: Path, ct: Path, number: int, swallows: bool) -> None:
    events = tmp_path / "events.jsonl"
    command = [sys.executable, "-c", SLOW_ENGINE.format(swallows=swallows), "segment", str(ct)]
    command += [str(tmp_path / "a.seg.nrrd"), "--model", "m", "--events", str(events)]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.PIPE, text=True)
    give_up = time.monotonic() + 60
    while not (events.exists() and "predicting" in events.read_text()) and time.monotonic() < give_up:
        time.sleep(0.02)
    process.send_signal(number)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "error CANCELLED: The segmentation was cancelled." in printed
    assert json.loads(events.read_text().splitlines()[-1])["kind"] == "cancelled"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([PATIENT, "events.jsonl"])


# -- the real thing ----------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.slow  # runs the real networks on a real CT: about a minute on two cores
def test_a_real_ct(tmp_path: Path, example_ct: Path, example_model: Path) -> None:
    output = tmp_path / "ct.nii.gz"
    assert main(["segment", str(example_ct), str(output), "--model", str(example_model)]) == 0
    labels = read_input(output).volume
    reference = read_input(example_ct.parent / "reference_104_1.5mm.nii.gz").volume
    assert labels.geometry.matches(reference.geometry)
    scores = []
    for label in np.unique(reference.array)[1:]:
        expected, found = reference.array == label, labels.array == label
        if expected.sum() >= 100:
            scores.append(2 * (expected & found).sum() / (expected.sum() + found.sum()))
    assert np.mean(scores) >= 0.970 and np.min(scores) >= 0.93
