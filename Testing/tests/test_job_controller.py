"""A job from Apply to its result, and everything that may stop it: with real worker processes around a fake engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from job_support import (
    MARK,
    Application,
    FakeCt,
    engine_environment,
    expected_labels,
    folders_in,
    make_launcher,
    marked_processes,
    soft_tissue_with_air,
)
from time_bounds import BLOCK_SECONDS, FIRST_TILE_SECONDS, READY_SECONDS
from TotalSegmentatorModuleLib.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.job_types import JobBusyError, JobState
from TotalSegmentatorWire.errors import SegmentationError
from TotalSegmentatorWire.job_folder import write_owner
from TotalSegmentatorWire.messages import Stage
from TotalSegmentatorWire.process_identity import ProcessIdentity, start_time, this_process

WORKER_STAGES = [
    Stage.READING,
    Stage.LOADING_MODEL,
    Stage.RESAMPLING,
    Stage.PREDICTING,
    Stage.RESTORING,
    Stage.WRITING,
]
LARGE = (256, 256, 512)
"""Voxels that take several ticks to send: 64 MB."""

needs_signals = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")


@pytest.fixture
def mark() -> str:
    return uuid.uuid4().hex


@pytest.fixture
def make_application(tmp_path, mark):
    """Applications on one work folder, each with the fake engine behind a launcher like Slicer's."""
    applications = []

    def make(idle_seconds: float = 60.0, **settings) -> Application:
        engine = engine_environment(make_launcher(tmp_path), mark, idle_seconds, **settings)
        applications.append(Application(tmp_path / "work", engine))
        return applications[-1]

    yield make
    for application in applications:
        application.controller.shutdown()
    wait_for_no_process(mark)


def wait_for_no_process(mark: str, seconds: float = READY_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while marked_processes(mark) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert marked_processes(mark) == []


def assert_usable(application: Application) -> None:
    """The next job on the same CT source works, and afterwards nothing is left but the worker."""
    ct = FakeCt()
    application.run_job(ct)
    assert np.array_equal(application.listener.results[-1][1], expected_labels(ct.array))
    application.run_until(lambda: not application.job_folders() and not application.result_folders())
    assert len(application.worker_folders()) == 1


# -- a job that succeeds -----------------------------------------------------------------------------------------------


def test_ct_goes_in_and_labels_come_out(make_application):
    application = make_application()
    ct = FakeCt()

    application.run_job(ct)

    header, labels = application.listener.results[0]
    assert np.array_equal(labels, expected_labels(ct.array))
    assert header.shape == list(ct.array.shape)
    assert np.array_equal(np.reshape(header.ijk_to_ras, (4, 4)), ct.ijk_to_ras)
    assert header.series_instance_uid == ct.series_instance_uid
    assert [found.name for found in header.found] == ["spleen", "kidney_right"]
    assert header.absent == ["kidney_left"]
    assert [row["name"] for row in header.structures] == ["spleen", "kidney_right"]
    states = application.listener.states
    assert [state for n, state in enumerate(states) if state not in states[:n]] == [
        JobState.SENDING,
        JobState.STARTING,
        JobState.RUNNING,
        JobState.RECEIVING,
        JobState.IDLE,
    ]


def test_folders_may_have_blanks_and_foreign_letters(tmp_path, mark):
    folder = tmp_path / "Sa É 患者"
    folder.mkdir()
    application = Application(folder / "work", engine_environment(make_launcher(folder), mark))
    application.run_job(FakeCt())
    application.controller.shutdown()
    assert len(application.listener.results) == 1
    wait_for_no_process(mark)


def test_progress_never_falls_and_reaches_its_end(make_application):
    application = make_application()
    application.run_job(FakeCt())
    fractions = [fraction for fraction, _ in application.listener.progress]
    assert fractions == sorted(fractions)
    assert fractions[0] < 0.05
    assert fractions[-1] == 1.0
    assert {Stage.READING, Stage.PREDICTING, Stage.WRITING} <= set(application.listener.stages)


def test_nothing_is_left_in_the_work_folder_but_the_worker(make_application, tmp_path):
    application = make_application()
    application.run_job(FakeCt())
    application.run_until(lambda: not application.job_folders())
    assert application.result_folders() == []
    assert len(application.worker_folders()) == 1
    if os.name != "nt":
        assert (tmp_path / "work" / "jobs").stat().st_mode & 0o777 == 0o700
        assert application.worker_folders()[0].stat().st_mode & 0o777 == 0o700


def test_second_job_uses_the_same_process_and_the_ct_already_sent(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    pid = application.worker_pid()
    application.listener.states.clear()

    application.run_job(ct)

    assert application.worker_pid() == pid
    assert [header.device for header, _ in application.listener.results] == ["reads=1", "reads=1"]
    assert JobState.SENDING not in application.listener.states


def test_second_job_begins_at_once(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    application.listener.progress.clear()

    application.apply(ct)
    seconds = application.run_until(lambda: Stage.PREDICTING in application.listener.stages)

    assert seconds < FIRST_TILE_SECONDS


def test_changed_ct_is_sent_again(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    ct.edit(lambda array: array.fill(-1000))

    application.run_job(ct)

    header, labels = application.listener.results[1]
    assert header.device == "reads=2"
    assert (labels == 2).all()


def test_changed_geometry_is_sent_again_even_under_the_same_stamp(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    ct.ijk_to_ras = np.diag([-1.0, -1.0, 3.0, 1.0])
    application.run_job(ct)
    assert application.listener.results[1][0].device == "reads=2"
    assert application.listener.results[1][0].ijk_to_ras[10] == 3.0


def test_worker_that_lost_the_ct_gets_it_again(make_application):
    application = make_application()
    first, bad = FakeCt(), FakeCt(np.full((12, 16, 20), np.nan, dtype=np.float32))
    application.run_job(first)
    application.run_job(bad)
    assert application.listener.failures[0].code == "INPUT_NON_FINITE"
    application.controller._keeper.remember_ct(*held_by(first))  # as if this side had lost count

    application.run_job(first)

    assert np.array_equal(application.listener.results[1][1], expected_labels(first.array))


def held_by(ct: FakeCt) -> tuple:
    from TotalSegmentatorModuleLib.ct_transfer import key_of

    return key_of(ct), "0" * 32


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", ">i2"])
def test_every_voxel_type_crosses(make_application, dtype):
    application = make_application()
    ct = FakeCt((soft_tissue_with_air() % 200).astype(dtype))
    application.run_job(ct)
    assert np.array_equal(application.listener.results[0][1], expected_labels(ct.array))


def test_array_in_another_memory_order_crosses(make_application):
    application = make_application()
    ct = FakeCt(np.asfortranarray(soft_tissue_with_air()))
    application.run_job(ct)
    assert np.array_equal(application.listener.results[0][1], expected_labels(ct.array))


def test_ct_that_changes_while_it_is_sent_is_sent_again_from_the_beginning(make_application):
    application = make_application(warm_up=0.2)
    ct = FakeCt(np.full(LARGE, 40, dtype=np.int16))
    application.apply(ct)
    application.run_until(lambda: any(0.0 < fraction < 0.03 for fraction, _ in application.listener.progress))
    ct.edit(lambda array: array.fill(-1000))
    application.run_until(lambda: bool(application.listener.results))
    assert (application.listener.results[0][1] == 2).all()


def test_large_ct_does_not_block_the_application(make_application):
    """512 x 512 x 128: many ticks of copying, none of them long (but for two that other programs held up)."""
    application = make_application()
    application.run_job(FakeCt(np.full((128, 512, 512), 40, dtype=np.int16)))
    assert (application.listener.results[0][1] == 1).all()
    assert sorted(application.tick_seconds)[-3] < BLOCK_SECONDS


def test_warning_about_the_ct_is_told_with_every_job(make_application):
    application = make_application()
    ct = FakeCt(np.full((12, 16, 20), 6000, dtype=np.int16))
    application.run_job(ct)
    application.run_job(ct)
    assert [problem.code for problem in application.listener.warnings] == ["IMPLAUSIBLE_HU", "IMPLAUSIBLE_HU"]


def test_second_apply_while_a_job_runs_is_refused(make_application):
    application = make_application()
    application.apply(FakeCt(), Stage.PREDICTING, "slow")
    with pytest.raises(JobBusyError):
        application.apply(FakeCt())
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages)
    with pytest.raises(JobBusyError):
        application.apply(FakeCt())


# -- failures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "act", "code"),
    [
        (Stage.RESAMPLING, "refuse", "MEMORY_SHORT"),
        (Stage.PREDICTING, "crash", "INTERNAL_ERROR"),
        (Stage.WRITING, "crash", "INTERNAL_ERROR"),
        ("", "no model", "MODEL_MISSING"),
    ],
)
def test_failed_job_gives_its_code_and_leaves_the_worker_usable(make_application, stage, act, code):
    application = make_application()
    application.run_job(FakeCt(), stage, act)
    assert [problem.code for problem in application.listener.failures] == [code]
    pid = application.worker_pid()
    assert_usable(application)
    assert application.worker_pid() == pid


def test_bad_ct_leaves_the_worker_usable(make_application):
    application = make_application()
    bad = soft_tissue_with_air().astype(np.float32)
    bad[3, 4, 5] = np.inf
    application.run_job(FakeCt(bad))
    assert application.listener.failures[0].what == "The image holds 1 voxels that are not finite numbers."
    assert_usable(application)


def test_unexpected_error_leaves_its_traceback_in_the_log_and_no_patient(make_application):
    application = make_application()
    application.run_job(FakeCt(), Stage.PREDICTING, "crash")
    application.run_until(lambda: "ValueError" in application.controller.log_text())
    log = application.controller.log_text()
    assert "Traceback" in log
    assert "fake_engine.py" in log
    assert "Smith" not in log
    assert "1.2.840" not in log
    assert application.listener.failures[0].values == {"kind": "ValueError"}


def test_ct_that_is_removed_while_it_is_sent(make_application):
    class RemovedCt(FakeCt):
        def change_stamp(self):
            raise SegmentationError("INPUT_REMOVED")

    application = make_application()
    application.run_job(RemovedCt())
    assert [problem.code for problem in application.listener.failures] == ["INPUT_REMOVED"]
    assert_usable(application)


def test_full_disk_is_told_before_anything_is_written(make_application, monkeypatch):
    application = make_application()
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr("TotalSegmentatorModuleLib.ct_transfer.shutil.disk_usage", lambda folder: usage)
    application.run_job(FakeCt())
    problem = application.listener.failures[0]
    assert problem.code == "DISK_FULL"
    assert problem.values["free_mb"] == 1.0
    monkeypatch.undo()
    assert_usable(application)


# -- the worker does not start -----------------------------------------------------------------------------------------


def test_missing_package_is_named(make_application):
    application = make_application(missing="torch")
    application.run_job(FakeCt())
    problem = application.listener.failures[0]
    assert (problem.code, problem.values) == ("ENGINE_MISSING", {"package": "torch"})
    assert "Traceback" not in problem.what


def test_package_that_is_missing_at_import_is_named(make_application):
    application = make_application(**{"raise": "package_that_nobody_has"})
    application.run_job(FakeCt())
    problem = application.listener.failures[0]
    assert (problem.code, problem.values) == ("ENGINE_MISSING", {"package": "package_that_nobody_has"})


def test_broken_library_is_a_failed_start(make_application):
    application = make_application(broken=True)
    application.run_job(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"
    assert "libtorch_cpu.so" in application.controller.log_text()


def test_engine_that_ends_at_once_is_a_failed_start(make_application):
    application = make_application(exit=3)
    application.run_job(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"
    application.run_until(lambda: not application.job_folders() and not application.worker_folders())


def test_interpreter_that_does_not_exist_is_a_failed_start(tmp_path):
    application = Application(tmp_path / "work", EngineEnvironment(str(tmp_path / "nothing"), dict(os.environ)))
    application.apply(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"
    assert application.controller.state is JobState.IDLE
    application.controller.shutdown()
    assert folders_in(tmp_path / "work" / "jobs") == []


def test_silent_engine_is_given_up(make_application, monkeypatch):
    monkeypatch.setattr("TotalSegmentatorModuleLib.worker_process.HELLO_SECONDS", 0.0)
    application = make_application()
    application.run_job(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"


def test_engine_of_another_version_is_refused(make_application):
    application = make_application(protocol=2)
    application.run_job(FakeCt())
    problem = application.listener.failures[0]
    assert (problem.code, problem.values) == ("PROTOCOL_MISMATCH", {"expected": 1, "found": 2})


# -- cancel ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["slow", "deaf"])
@pytest.mark.parametrize("stage", WORKER_STAGES)
def test_cancel_at_each_stage(make_application, stage, act):
    application = make_application()
    application.apply(FakeCt(), stage, act)
    application.run_until(lambda: stage in application.listener.stages)
    pid = application.worker_pid()

    application.controller.cancel()
    seconds = application.run_until(lambda: application.controller.state is JobState.IDLE)

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
    application.controller.cancel()
    assert application.controller.state is JobState.IDLE
    assert application.listener.cancelled == 1
    application.run_until(lambda: not application.job_folders(), READY_SECONDS)
    assert_usable(application)


def test_cancel_while_the_engine_is_loading_keeps_the_worker(make_application):
    application = make_application(warm_up=1.0)
    application.apply(FakeCt())
    application.run_until(lambda: Stage.LOADING_ENGINE in application.listener.stages)
    pid = application.worker_pid()
    application.controller.cancel()
    seconds = application.run_until(lambda: application.controller.state is JobState.IDLE)
    assert seconds < READY_SECONDS
    assert_usable(application)
    assert application.worker_pid() == pid


def test_cancel_while_the_result_is_received(make_application):
    application = make_application()
    application.apply(FakeCt())
    application.run_until(lambda: application.controller.state is JobState.RECEIVING)
    application.controller.cancel()
    assert application.listener.cancelled == 1
    application.run_until(lambda: not application.job_folders() and not application.result_folders(), READY_SECONDS)
    assert_usable(application)
    assert len(application.listener.results) == 1


def test_cancel_without_a_job_does_nothing(make_application):
    application = make_application()
    application.controller.cancel()
    assert application.listener.cancelled == 0
    assert application.listener.states == []


# -- the worker is killed ----------------------------------------------------------------------------------------------


@needs_signals
@pytest.mark.parametrize("stage", [Stage.LOADING_ENGINE, *WORKER_STAGES])
def test_killed_worker(make_application, stage):
    application = make_application(warm_up=0.3)
    application.apply(FakeCt(), stage, "slow")
    application.run_until(lambda: stage in application.listener.stages)

    os.kill(application.worker_pid(), signal.SIGKILL)
    seconds = application.run_until(lambda: application.controller.state is JobState.IDLE)

    assert seconds < READY_SECONDS
    assert [problem.code for problem in application.listener.failures] == ["ENGINE_KILLED"]
    application.run_until(lambda: not folders_in(application.work_folder / "jobs"), READY_SECONDS)
    assert_usable(application)


@needs_signals
def test_killed_launcher_takes_the_worker_with_it(make_application, mark):
    application = make_application()
    application.apply(FakeCt(), Stage.PREDICTING, "deaf")
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages)
    launcher = next(pid for pid in marked_processes(mark) if pid != application.worker_pid())

    os.kill(launcher, signal.SIGKILL)
    application.run_until(lambda: application.controller.state is JobState.IDLE)

    wait_for_no_process(mark)
    assert_usable(application)


@needs_signals
def test_worker_killed_while_the_ct_is_sent_is_replaced_silently(make_application):
    application = make_application()
    ct = FakeCt(np.full(LARGE, 40, dtype=np.int16))
    application.apply(ct)
    application.run_until(lambda: bool(application.worker_folders() and application.controller._keeper.worker.hello))
    if application.controller.state is JobState.SENDING:
        os.kill(application.worker_pid(), signal.SIGKILL)
    application.run_until(lambda: application.listener.ends == 1)
    assert (application.listener.results[0][1] == 1).all()


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
    application.apply(ct)
    application.run_until(lambda: application.controller.state is JobState.RUNNING)
    deadline = time.monotonic() + 10
    while not application.result_folders() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(application.worker_pid(), signal.SIGKILL)
    application.run_until(lambda: application.listener.ends == 1)
    assert np.array_equal(application.listener.results[0][1], expected_labels(ct.array))


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
    application.controller.shutdown()
    assert time.monotonic() - begun < READY_SECONDS
    wait_for_no_process(mark)
    assert folders_in(application.work_folder / "jobs") == []
    assert folders_in(application.work_folder / "results") == []


def test_shutdown_while_the_ct_is_sent_leaves_nothing(make_application, mark):
    application = make_application()
    application.apply(FakeCt())
    application.controller.shutdown()
    wait_for_no_process(mark)
    assert folders_in(application.work_folder / "jobs") == []
    application.controller.tick()  # a timer may still fire
    with pytest.raises(JobBusyError):
        application.apply(FakeCt())


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
    here = Path(__file__).resolve()
    paths = [str(here.parent), str(here.parents[2] / "TotalSegmentatorModule")]
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
    wait_for_no_process(mark, 5.0)
    application.wait()
    application.stdout.close()
    assert folders_in(work / "jobs") == []
    assert len(folders_in(work / "results")) == (1 if stage == "receiving" else 0)


# -- results that wait -------------------------------------------------------------------------------------------------


class ImportFailedError(Exception):
    pass


@pytest.fixture
def waiting_result(make_application) -> Application:
    """An application whose import of a result failed."""
    application = make_application()

    def fail(header, labels):
        raise ImportFailedError

    application.listener.on_result = fail
    application.apply(FakeCt())
    with pytest.raises(ImportFailedError):
        application.run_until(lambda: False)
    assert application.controller.state is JobState.IDLE
    del application.listener.on_result
    return application


def test_result_whose_import_failed_is_kept_and_can_be_received(waiting_result):
    header = waiting_result.controller.unimported_results()[0]
    waiting_result.controller.receive_result(header.job_id)
    waiting_result.run_until(lambda: waiting_result.controller.state is JobState.IDLE)
    assert np.array_equal(waiting_result.listener.results[0][1], expected_labels(soft_tissue_with_air()))
    assert waiting_result.controller.unimported_results() == []
    waiting_result.run_until(lambda: not waiting_result.result_folders())


def test_result_survives_the_end_of_the_application(waiting_result, make_application):
    waiting_result.controller.shutdown()
    later = make_application()
    assert len(later.controller.unimported_results()) == 1


def test_cancelled_reception_of_a_waiting_result_leaves_it_waiting(waiting_result):
    header = waiting_result.controller.unimported_results()[0]
    waiting_result.controller.receive_result(header.job_id)
    waiting_result.controller.cancel()
    assert waiting_result.listener.cancelled == 1
    assert waiting_result.controller.unimported_results() == [header]


def test_exception_of_the_listener_loses_no_event(make_application):
    application = make_application()
    tell = application.listener.on_progress

    def stumble(fraction, stage, *rest):
        tell(fraction, stage, *rest)
        if stage == Stage.READING:
            raise ImportFailedError

    application.listener.on_progress = stumble
    application.apply(FakeCt())
    with pytest.raises(ImportFailedError):
        application.run_until(lambda: False)
    application.run_until(lambda: len(application.listener.results) == 1)


def test_declined_result_is_removed(waiting_result):
    header = waiting_result.controller.unimported_results()[0]
    waiting_result.controller.discard_result(header.job_id)
    waiting_result.run_until(lambda: not waiting_result.result_folders())
    assert waiting_result.controller.unimported_results() == []


def test_damaged_result_is_not_offered(waiting_result):
    labels = waiting_result.result_folders()[0] / "labels.raw"
    labels.write_bytes(labels.read_bytes()[:-1])
    assert waiting_result.controller.unimported_results() == []


def test_result_of_another_running_application_is_not_offered(waiting_result):
    """Its owner is another living process: here the test's parent."""
    parent = ProcessIdentity(os.getppid(), start_time(os.getppid()), this_process().host)
    write_owner(waiting_result.result_folders()[0], parent)
    assert waiting_result.controller.unimported_results() == []
