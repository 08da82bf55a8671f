"""Changed structures are checked again in the worker that holds the CT, and by the program where it cannot."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from job_support import MARK
from panel_support import folders_of
from repair_support import TABLE, RepairUser, centre_of, labels_of, phantom
from time_bounds import READY_SECONDS
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.worker.request_queue import AcceptedJob
from TotalSegmentatorEngine.worker.second_check import check_again
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease
from TotalSegmentatorWire.messages.review import Flag, Level


class WorkerHere:
    """The worker's part without its process; it may die instead of answering."""

    is_running, exit_status = True, None

    def __init__(self, dies: bool = False) -> None:
        made = phantom()
        self._cache, self._dies = EngineCache(), dies
        self._cache.remember_ct("ct", ReadInput(Volume(made.ct, Geometry(made.ct.shape, made.ijk_to_ras))))
        self.requests = []

    def send(self, request) -> bool:
        self.requests.append(request)
        if self._dies:
            self.is_running, self.exit_status = False, 1
            return False
        job = AcceptedJob(request)
        job.events.emit(check_again(job, self._cache))
        return True


@pytest.fixture
def program_runs(user, monkeypatch) -> list:
    """The environments that were asked for to start the program."""
    from TotalSegmentatorModuleLib.background import installed_engine

    asked = []

    def environment() -> EngineEnvironment:
        asked.append(EngineEnvironment(sys.executable, {**os.environ, MARK: user.mark}))
        return asked[-1]

    monkeypatch.setattr(installed_engine, "engine_environment", environment)
    return asked


@pytest.mark.parametrize("dies", [False, True])
def test_the_worker_checks_and_the_program_where_it_cannot(user, program_runs, dies: bool):
    from TotalSegmentatorModuleLib.repair.second_check import SecondCheck
    from TotalSegmentatorModuleLib.tags.review_flags import read_review

    reviewer = RepairUser(user)
    labels = labels_of("liver", "spleen", "vertebrae_T12")
    island = np.zeros(labels.shape, bool)
    island[2:7, 2:8, 2:7] = True
    labels[island] = TABLE["liver"]
    outdated = Flag("mean_hu", Level.CHECK, "liver", (), centre_of(island), {"mean_hu": -500, "usual_hu": "0 to 200"})
    reviewer.add_phantom(labels, [outdated])
    worker = WorkerHere(dies)
    check = SecondCheck(lambda: None, lambda _ct: WorkerLease(worker, "ct"))
    try:
        check.start(reviewer.node, ["liver"])
        assert user.app.wait_until(lambda: not check.is_busy, READY_SECONDS)
    finally:
        check.close()
    rules = [shown.flag.rule for shown in read_review(reviewer.node).by_segment["liver"]]
    assert "islands" in rules and "mean_hu" not in rules
    assert len(worker.requests) == 1
    assert len(program_runs) == (1 if dies else 0)
    assert user.app.wait_until(lambda: not folders_of("jobs"), READY_SECONDS)


def test_another_segmentation_is_checked_after_the_first(user, program_runs):
    from TotalSegmentatorModuleLib.repair.second_check import SecondCheck
    from TotalSegmentatorModuleLib.tags.review_flags import mark_changed, read_review

    reviewer = RepairUser(user)
    labels = labels_of("liver", "spleen", "vertebrae_T12")
    outdated = Flag("mean_hu", Level.CHECK, "liver", (), None, {"mean_hu": -500, "usual_hu": "0 to 200"})
    nodes = [reviewer.add_phantom(labels, [outdated]) or reviewer.node for _ in range(2)]
    assert nodes[0] is not nodes[1]
    worker = WorkerHere()
    check = SecondCheck(lambda: None, lambda _ct: WorkerLease(worker, "ct"))
    try:
        for node in nodes:
            mark_changed(node.GetSegmentation().GetSegment("liver"))
            check.start(node, ["liver"])
        assert user.app.wait_until(lambda: not check.is_busy, READY_SECONDS)
    finally:
        check.close()
    shown = [read_review(node).by_segment["liver"] for node in nodes]
    assert not any(each.is_repaired or each.flag.rule == "mean_hu" for flags in shown for each in flags)
    assert len(worker.requests) == 2
