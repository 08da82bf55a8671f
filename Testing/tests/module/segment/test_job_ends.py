"""Jobs that are cancelled, whose worker is killed, or whose application ends: nothing is left, the next one works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from job_support import (
    LARGE,
    MARK,
    WORKER_STAGES,
    FakeCt,
    assert_usable,
    expected_labels,
    folders_in,
    make_launcher,
    marked_processes,
    needs_signals,
    wait_for_no_process,
)
from places import MODULE_FOLDER, SUPPORT_FOLDERS
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.segment.job_types import STAGE_RECEIVING
from TotalSegmentatorWire.messages.segment import Stage

# -- cancel ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["slow", "deaf"])
@pytest.mark.parametrize("stage", WORKER_STAGES)
def test_cancel_at_each_stage(make_application, stage, act):
    application = make_application()
    application.apply(FakeCt(), stage, act)
    application.run_until(lambda: stage in application.listener.stages)
    pid = application.worker_pid()

    application.cancel()
    seconds = application.run_until_idle()

    assert seconds < READY_SECONDS
    assert application.listener.cancelled == 1
    assert application.listener.results == application.listener.failures == []
    application.run_until(lambda: not application.job_folders() and not application.result_folders(), READY_SECONDS)
    assert_usable(application)
    assert (application.worker_pid() == pid) == (act == "slow")  # a worker that does not listen is replaced


def test_cancel_while_the_ct_is_sent(make_application):
    application = make_application()
    application.apply(FakeCt(np.zeros(LARGE, dtype=np.int16)))
    application.run_until(lambda: any(0.0 < fraction < 0.03 for fraction, _ in application.listener.progress))
    application.cancel()
    assert not application.is_busy
    assert application.listener.cancelled == 1
    application.run_until(lambda: not application.job_folders(), READY_SECONDS)
    assert_usable(application)


def test_cancel_while_the_engine_is_loading_keeps_the_worker(make_application):
    application = make_application(warm_up=1.0)
    application.apply(FakeCt())
    application.run_until(lambda: Stage.LOADING_ENGINE in application.listener.stages)
    pid = application.worker_pid()
    application.cancel()
    seconds = application.run_until_idle()
    assert seconds < READY_SECONDS
    assert_usable(application)
    assert application.worker_pid() == pid


def test_cancel_while_the_result_is_received(make_application):
    application = make_application()
    application.apply(FakeCt())
    application.run_until(lambda: STAGE_RECEIVING in application.listener.stages)
    application.cancel()
    assert application.listener.cancelled == 1
    application.run_until(lambda: not application.job_folders() and not application.result_folders(), READY_SECONDS)
    assert_usable(application)
    assert len(application.listener.results) == 1


def test_cancel_without_a_job_does_nothing(make_application):
    application = make_application()
    application.cancel()
    assert application.listener.ends == 0


# -- the worker is killed ----------------------------------------------------------------------------------------------


@needs_signals
@pytest.mark.parametrize("stage", [Stage.LOADING_ENGINE, *WORKER_STAGES])
def test_killed_worker(make_application, stage):
    application = make_application(warm_up=0.3)
    application.apply(FakeCt(), stage, "slow")
    application.run_until(lambda: stage in application.listener.stages)

    os.kill(application.worker_pid(), signal.SIGKILL)
    seconds = application.run_until_idle()

    assert seconds < READY_SECONDS
    assert [problem.code for problem in application.listener.failures] == ["ENGINE_KILLED"]
    assert "not enough memory" in application.listener.failures[0].what
    application.run_until(lambda: not folders_in(application.work_folder / "jobs"), READY_SECONDS)
    assert_usable(application)


@needs_signals
def test_killed_launcher_takes_the_worker_with_it(make_application, mark):
    application = make_application()
    application.apply(FakeCt(), Stage.PREDICTING, "deaf")
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages)
    launcher = next(pid for pid in marked_processes(mark) if pid != application.worker_pid())

    os.kill(launcher, signal.SIGKILL)
    application.run_until_idle()

    wait_for_no_process(mark)
    assert_usable(application)


@needs_signals
def test_worker_killed_while_the_ct_is_sent_is_replaced_silently(make_application, mark):
    application = make_application()
    application.run_job(FakeCt())
    application.listener.progress.clear()
    application.apply(FakeCt(np.full(LARGE, 40, dtype=np.int16)))
    application.run_until(lambda: any(0.0 < fraction < 0.03 for fraction, _ in application.listener.progress))
    os.kill(application.worker_pid(), signal.SIGKILL)
    wait_for_no_process(mark)  # else the next tick may send the rest and the request before it is known
    application.run_until(lambda: application.listener.ends == 2)
    assert application.listener.failures == []
    assert (application.listener.results[1][1] == 1).all()


@needs_signals
def test_worker_killed_while_idle_is_replaced_silently(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    pid = application.worker_pid()
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)

    application.run_job(ct)

    assert application.listener.failures == []
    assert application.listener.results[1][0].device == "reads=1"
    assert application.worker_pid() != pid


@needs_signals
def test_result_that_was_finished_by_a_worker_killed_right_after_is_received(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    application.run_until(lambda: not application.job_folders() and not application.result_folders())
    application.apply(ct)
    application.run_until(lambda: bool(application.job_folders()))  # the worker has the request; nobody listens to it
    deadline = time.monotonic() + 10
    while not application.result_folders() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(application.worker_pid(), signal.SIGKILL)
    application.run_until(lambda: application.listener.ends == 2)
    assert np.array_equal(application.listener.results[1][1], expected_labels(ct.array))


def test_engine_that_exits_by_itself(make_application):
    application = make_application()
    application.run_job(FakeCt(), Stage.PREDICTING, "exit")
    problem = application.listener.failures[0]
    assert (problem.code, problem.values) == ("ENGINE_DIED", {"status": 3})
    assert_usable(application)


def test_worker_that_ended_idle_is_replaced_silently(make_application):
    application = make_application(idle_seconds=0.2)
    ct = FakeCt()
    application.run_job(ct)
    application.run_until(lambda: not folders_in(application.work_folder / "jobs"))
    application.run_job(ct)
    assert application.listener.failures == []
    assert len(application.listener.results) == 2


# -- the application ends ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.PREDICTING, Stage.WRITING])
def test_shutdown_leaves_nothing(make_application, mark, stage):
    application = make_application()
    application.apply(FakeCt(), stage, "deaf")
    application.run_until(lambda: stage in application.listener.stages)
    begun = time.monotonic()
    application.shutdown()
    assert time.monotonic() - begun < READY_SECONDS
    wait_for_no_process(mark)
    assert folders_in(application.work_folder / "jobs") == []
    assert folders_in(application.work_folder / "results") == []


def test_shutdown_while_the_ct_is_sent_leaves_nothing(make_application, mark, tmp_path):
    application = make_application()
    application.apply(FakeCt(np.zeros(LARGE, dtype=np.int16)))
    application.run_until(lambda: any(0.0 < fraction < 0.03 for fraction, _ in application.listener.progress))
    application.shutdown()
    wait_for_no_process(mark)
    assert folders_in(application.work_folder / "jobs") == []
    application.turn()  # a timer may still fire
    assert folders_in(tmp_path / "work" / "jobs") == []


APPLICATION = """
import sys
from pathlib import Path
from job_support import Application, FakeCt, engine_environment
import numpy as np
folder, launcher, mark, stage, act = sys.argv[1:]
application = Application(Path(folder), engine_environment(launcher, mark))
voxels = (512, 256, 512) if stage == "sending" else (12, 16, 20)
application.apply(FakeCt(np.zeros(voxels, dtype=np.int16)), stage, act)
begun = False
def step():
    global begun
    reached = stage in application.listener.stages
    if reached and not begun:
        begun = True
        print("reached", flush=True)
    return begun and stage in ("sending", "receiving")
application.run_until(step, 60)
import time
time.sleep(60)
"""


@needs_signals
@pytest.mark.parametrize(
    ("stage", "act"),
    [
        ("sending", ""),
        (Stage.READING, "deaf"),
        (Stage.PREDICTING, "slow"),
        (Stage.PREDICTING, "deaf"),
        (Stage.WRITING, "deaf"),
        ("receiving", ""),
    ],
)
def test_death_of_the_application_leaves_no_process_and_no_folder(tmp_path, mark, stage, act):
    work = tmp_path / "work"
    paths = [*SUPPORT_FOLDERS, str(MODULE_FOLDER)]
    application = subprocess.Popen(
        [sys.executable, "-c", APPLICATION, str(work), make_launcher(tmp_path), mark, stage, act],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), MARK: mark},
        stdout=subprocess.PIPE,
    )
    try:
        assert application.stdout.readline() == b"reached\n"
        assert len(marked_processes(mark)) == 3  # application, launcher, worker
    finally:
        application.kill()
    wait_for_no_process(mark)
    application.wait()
    application.stdout.close()
    assert folders_in(work / "jobs") == []
    assert len(folders_in(work / "results")) == (1 if stage == "receiving" else 0)
