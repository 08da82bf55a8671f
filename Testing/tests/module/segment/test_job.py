"""A job from Apply to its result or its failure: with real worker processes around a fake engine."""

from __future__ import annotations

import dataclasses
import os

import numpy as np
import pytest
from job_support import (
    LARGE,
    WORKER_STAGES,
    Application,
    FakeCt,
    assert_usable,
    engine_environment,
    expected_labels,
    folders_in,
    make_launcher,
    settings_for,
    soft_tissue_with_air,
    wait_for_no_process,
)
from time_bounds import BLOCK_SECONDS, FIRST_TILE_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.segment.job_types import STAGE_RECEIVING, STAGE_SENDING, STAGE_STARTING
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions, options_from_json
from TotalSegmentatorWire.messages.segment import PROTOCOL_VERSION, Stage

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
    stages = application.listener.stages
    assert stages[0] in (STAGE_SENDING, STAGE_STARTING)
    assert [stage for stage in dict.fromkeys(stages) if stage in WORKER_STAGES] == WORKER_STAGES
    assert stages[-1] == STAGE_RECEIVING


def test_the_worker_is_lent_for_the_ct_that_it_holds(make_application):
    application = make_application()
    ct = FakeCt()
    assert application.manager.lease(ct) is None
    application.run_job(ct)
    lease = application.manager.lease(ct)
    assert lease.worker.is_running and lease.ct_id
    assert application.manager.lease(FakeCt(ct.array + 1)) is None
    application.manager.kill()
    assert application.manager.lease(ct) is None


def test_folders_may_have_blanks_and_foreign_letters(tmp_path, mark):
    folder = tmp_path / "Sa É 患者"
    folder.mkdir()
    application = Application(folder / "work", engine_environment(make_launcher(folder), mark))
    application.run_job(FakeCt())
    application.shutdown()
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


def test_plans_are_reported_in_their_order(make_application):
    application = make_application()
    application.run_job(FakeCt())
    assert [(plan.tiles, plan.is_preliminary) for plan in application.listener.plans] == [(2, True), (2, False)]


def test_plan_that_cannot_be_read_does_not_end_the_job(make_application):
    application = make_application()
    application.run_job(FakeCt(), Stage.RESAMPLING, "bad plan")
    assert len(application.listener.results) == 1


def test_options_reach_the_engine(make_application):
    application = make_application()
    options = JobOptions(precision="reduced", crop="body", smallest_island_mm3=250.0)
    application.apply_with(FakeCt(), dataclasses.replace(settings_for(), options=options))
    application.run_until(lambda: application.listener.ends == 1)
    header, _labels = application.listener.results[0]
    assert options_from_json(header.options) == options


def test_nothing_is_left_in_the_work_folder_but_the_worker(make_application, tmp_path):
    application = make_application()
    application.run_job(FakeCt())
    application.run_until(lambda: not application.job_folders() and not application.result_folders())
    assert len(application.worker_folders()) == 1
    if os.name != "nt":
        assert (tmp_path / "work" / "jobs").stat().st_mode & 0o777 == 0o700
        assert application.worker_folders()[0].stat().st_mode & 0o777 == 0o700


def test_second_job_uses_the_same_process_and_the_ct_already_sent(make_application):
    application = make_application()
    ct = FakeCt()
    application.run_job(ct)
    pid = application.worker_pid()
    application.listener.progress.clear()

    application.run_job(ct)

    assert application.worker_pid() == pid
    assert [header.device for header, _ in application.listener.results] == ["reads=1", "reads=1"]
    assert not {STAGE_SENDING, STAGE_STARTING} & set(application.listener.stages)


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
    application.manager.remember_ct(*held_by(first))  # as if this side had lost count

    application.run_job(first)

    assert np.array_equal(application.listener.results[1][1], expected_labels(first.array))


def held_by(ct: FakeCt) -> tuple:
    from TotalSegmentatorModuleLib.segment.ct_transfer import key_of

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


def test_warning_about_the_ct_is_reported_with_every_job(make_application):
    application = make_application()
    ct = FakeCt(np.full((12, 16, 20), 6000, dtype=np.int16))
    application.run_job(ct)
    application.run_job(ct)
    assert [problem.code for problem in application.listener.warnings] == ["IMPLAUSIBLE_HU", "IMPLAUSIBLE_HU"]


def test_second_apply_while_a_job_runs_is_refused(make_application):
    application = make_application()
    application.apply(FakeCt(), Stage.PREDICTING, "slow")
    with pytest.raises(RuntimeError):
        application.apply(FakeCt())
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages)
    with pytest.raises(RuntimeError):
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
    assert application.listener.failures[0].what == "Some voxel values are infinite or not a number (voxels: 1)."
    assert_usable(application)


def test_unexpected_error_leaves_its_traceback_in_the_log_and_no_patient(make_application):
    application = make_application()
    application.run_job(FakeCt(), Stage.PREDICTING, "crash")
    application.run_until(lambda: "ValueError" in application.manager.log_text)
    log = application.manager.log_text
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


def test_full_disk_is_reported_before_anything_is_written(make_application, monkeypatch):
    application = make_application()
    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
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
    assert "libtorch_cpu.so" in application.manager.log_text


def test_engine_that_ends_at_once_is_a_failed_start(make_application):
    application = make_application(exit=3)
    application.run_job(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"
    application.run_until(lambda: not application.job_folders() and not application.worker_folders())


def test_interpreter_that_does_not_exist_is_a_failed_start(tmp_path):
    application = Application(tmp_path / "work", EngineEnvironment(str(tmp_path / "nothing"), dict(os.environ)))
    application.run_job(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"
    application.shutdown()
    assert folders_in(tmp_path / "work" / "jobs") == []


def test_silent_engine_is_given_up(make_application, monkeypatch):
    monkeypatch.setattr("TotalSegmentatorModuleLib.segment.worker_process.HELLO_SECONDS", 0.0)
    application = make_application()
    application.run_job(FakeCt())
    assert application.listener.failures[0].code == "ENGINE_START_FAILED"


def test_engine_of_another_version_is_refused(make_application):
    application = make_application(protocol=PROTOCOL_VERSION + 1)
    application.run_job(FakeCt())
    problem = application.listener.failures[0]
    assert (problem.code, problem.values) == (
        "PROTOCOL_MISMATCH",
        {"expected": PROTOCOL_VERSION, "found": PROTOCOL_VERSION + 1},
    )
