"""Slicer is killed while the queue runs: the next one resumes what is left."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import numpy as np
import SimpleITK as sitk  # noqa: N813 - the usual name
import slicer
from job_support import needs_signals, wait_for_no_process
from places import TESTING
from series_support import chest, write_series
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.job_folder import queues_folder, results_folder

KILLED = TESTING / "tests" / "support" / "job_queue" / "killed_queue.py"


@pytest.fixture
def files(tmp_path):
    """Four CTs as files, one with voxels that no CT has, and a DICOM series."""
    folder = tmp_path / "files"
    (folder / "dicom").mkdir(parents=True)
    rng = np.random.default_rng(3)
    for name in ("cancelled", "bad", "finished", "interrupted"):
        array = rng.integers(-900, 900, (20, 24, 26)).astype(np.float32)
        if name == "bad":
            array[0, 0, 0] = np.inf
        image = sitk.GetImageFromArray(array)
        image.SetSpacing((3.0, 3.0, 3.0))
        sitk.WriteImage(image, str(folder / f"{name}.nrrd"))
    write_series(folder / "dicom", chest(slices=20), SeriesNumber=7, SeriesDescription="Thorax", PatientName="Phantom")
    return folder


@pytest.fixture
def killed(work_folder, files, mark):
    """The queue was killed with its Slicer."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, KILLED, work_folder, files, mark],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    wait_for_no_process(mark)


@needs_signals
@pytest.mark.usefixtures("killed")
def test_what_is_left_is_resumed(work_folder, files, queue_user, app):
    (folder,) = queues_folder(work_folder).iterdir()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "queue.json").stat().st_mode) == 0o600
    assert not any(b"Smith" in file.read_bytes() for file in folder.iterdir())
    interrupted = json.loads((folder / "queue.json").read_text("utf-8"))["items"][3]["jobs"]["0"]
    finished = results_folder(work_folder) / interrupted
    assert finished.is_dir()

    app.dicom_database.add_folder(files / "dicom")
    user = queue_user()
    offers = user.ui.unimported
    assert offers.importButton.text == "Resume the queue (3 of 6 left)"
    app.click(offers.importButton)
    user.wait_for_states(["Cancelled", "Failed", "Finished", "Finished", "Not loaded", "Finished"], 120)

    assert [title for title, _state in user.lines()] == [
        "cancelled.nrrd",
        "bad.nrrd",
        "finished.nrrd",
        "interrupted",
        "CT 5 of the queue",
        "7: Thorax",
    ]
    names = [node.GetName().split(" \u2013 ")[0] for node in user.segmentations]
    assert names == ["interrupted", "7: Thorax"]
    user.select(4)
    assert user.queue_ui.explanationLabel.text.startswith("The CT is not loaded any more, and it is not known")
    user.select(1)
    assert "infinite" in user.queue_ui.explanationLabel.text
    assert app.wait_until(lambda: not finished.exists(), READY_SECONDS)  # it was imported, and not computed again
    assert not offers.importButton.text.startswith("Resume the queue")
    assert list(queues_folder(work_folder).iterdir()) == []
    assert slicer.util.getNode("interrupted").GetStorageNode() is not None
