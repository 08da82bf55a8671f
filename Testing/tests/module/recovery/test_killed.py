"""Slicer is killed in the middle of a review and between "finished" and "imported": the next one offers both."""

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
import slicer
from job_support import needs_signals, wait_for_no_process
from places import TESTING
from recovery_support import everything, saved_folders
from review_support import SHAPE
from time_bounds import READY_SECONDS
from TotalSegmentatorWire.job_folder import results_folder

KILLED = TESTING / "tests" / "support" / "review" / "killed_slicer.py"


@pytest.fixture
def before(work_folder, tmp_path, mark):
    """What the review was like when the process was killed."""
    report = tmp_path / "report.json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    run = subprocess.run(
        [sys.executable, KILLED, work_folder, report, mark],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    wait_for_no_process(mark)
    return json.loads(report.read_text(encoding="utf-8"))


@needs_signals
def test_the_next_slicer_offers_result_and_review_and_restores_both(before, work_folder, slicer_user):
    (folder,) = saved_folders(work_folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not any(b"Smith" in file.read_bytes() for file in folder.iterdir())

    user = slicer_user()
    ct = user.add_ct(np.full(SHAPE, 40, np.int16))
    offers = user.ui.unimported
    taken = {}
    for count in (1, 2):  # the newer one is offered first: which that is depends on when the review was saved
        kind = "result" if offers.resultLabel.text.startswith("A finished segmentation from ") else "review"
        if kind == "review":
            assert offers.resultLabel.text.startswith("The review of a segmentation from ")
            assert offers.importButton.text == "Restore"
        user.app.click(offers.importButton)
        assert user.app.wait_until(lambda count=count: len(user.segmentations) == count, READY_SECONDS)
        user.wait_until_ready()
        (taken[kind],) = set(user.segmentations) - set(taken.values())
    result, review = taken["result"], taken["review"]
    assert list(result.GetSegmentation().GetSegmentIDs()) == ["spleen"]
    assert everything(review, ct) == before
    assert review.GetNodeReference(review.GetReferenceImageGeometryReferenceRole()) is ct
    assert not offers.resultFrame.visible
    assert user.app.wait_until(lambda: not list(results_folder(work_folder).iterdir()), READY_SECONDS)

    user.app.close_scene()
    assert user.app.wait_until(lambda: not saved_folders(work_folder), READY_SECONDS)
    assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode") == []
