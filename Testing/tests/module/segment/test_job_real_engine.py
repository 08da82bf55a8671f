"""Jobs with the real engine in the worker: a seeded network of two stages, so that a job takes a second."""

from __future__ import annotations

import os
import signal
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest
from job_support import (
    MARK,
    Application,
    FakeCt,
    folders_in,
    make_launcher,
    model_settings,
    soft_tissue_with_air,
    wait_for_no_process,
)
from one_model import model_task
from reviewed_again import review_again
from seeded_models import make_model_folder
from time_bounds import FIRST_TILE_SECONDS, READY_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorWire.messages.segment import Stage

pytestmark = pytest.mark.slow  # each worker imports torch, three seconds on two cores

SHORT = (32, 40, 48)
LONG = (160, 200, 200)
"""A CT that keeps the seeded network busy for many seconds: it is cancelled or killed meanwhile."""


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("models") / "Dataset900_Seeded")


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """One application for all tests here: its worker has to survive each of them."""
    folder = tmp_path_factory.mktemp("application")
    mark = uuid.uuid4().hex
    engine = EngineEnvironment(make_launcher(folder), {**os.environ, MARK: mark})
    application = Application(folder / "work", engine)
    yield application
    application.shutdown()
    assert folders_in(folder / "work" / "jobs") == []
    wait_for_no_process(mark)


def noisy_ct(shape: tuple[int, int, int], seed: int = 0) -> FakeCt:
    array = soft_tissue_with_air(shape)
    array += np.random.default_rng(seed).integers(-200, 200, shape, dtype=np.int16)
    ct = FakeCt(array)
    ct.ijk_to_ras = np.diag([-2.0, -2.0, 3.0, 1.0])
    return ct


def run(application: Application, ct: FakeCt, model: Path | str, structures: list[str] | None = None) -> None:
    ends = application.listener.ends
    application.listener.progress.clear()
    application.apply_with(ct, model_settings(str(model), Path("models"), structures, "cpu"))
    application.run_until(lambda: application.listener.ends > ends, 120)


def test_labels_are_those_of_the_pipeline(application, model):
    from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
    from TotalSegmentatorEngine.job.reporting import SilentReporter
    from TotalSegmentatorEngine.pipeline.cache import EngineCache
    from TotalSegmentatorEngine.pipeline.prepare import prepare
    from TotalSegmentatorEngine.pipeline.run_job import segment

    ct = noisy_ct(SHORT)
    run(application, ct, model)

    volume = Volume(ct.array, Geometry(SHORT, ct.ijk_to_ras))
    prepared = prepare(model_task(str(model), Path("models"), None, "cpu"))
    direct = segment(volume, prepared, EngineCache(), SilentReporter())
    header, labels = application.listener.results[-1]
    assert np.array_equal(labels, direct.layers[0])
    assert len(np.unique(labels)) > 2
    assert [found.name for found in header.found] == [found.name for found in direct.found]
    assert header.device == "cpu"


def test_second_job_on_the_same_ct_starts_its_first_tile_at_once(application, model):
    ct = noisy_ct(SHORT, seed=1)
    run(application, ct, model)
    pid = application.worker_pid()
    application.listener.progress.clear()
    application.apply_with(ct, model_settings(str(model), Path("models"), ["liver"], "cpu"))
    seconds = application.run_until(lambda: Stage.PREDICTING in application.listener.stages)
    application.run_until_idle(60)
    assert seconds < FIRST_TILE_SECONDS
    assert application.worker_pid() == pid
    assert {found.name for found in application.listener.results[-1][0].found} <= {"liver"}


def test_the_worker_reviews_again_what_it_has_made(application, model):
    """Without the CT's voxels, which it holds; the liver without its largest part is another liver."""
    ct = noisy_ct(SHORT, seed=4)
    run(application, ct, model)
    header, labels = application.listener.results[-1]
    labels[: SHORT[0] // 2][labels[: SHORT[0] // 2] == 1] = 0
    flags = review_again(application, ct, header, labels, ["liver"])
    assert flags and {flag.structure for flag in flags} == {"liver"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda ct: setattr(ct, "array", np.zeros((2, 8, 8), np.int16)), "INPUT_TOO_FEW_SLICES"),
        (lambda ct: setattr(ct, "array", np.full(SHORT, np.inf, np.float32)), "INPUT_NON_FINITE"),
        (lambda ct: setattr(ct, "ijk_to_ras", np.zeros((4, 4))), "INPUT_DEGENERATE_DIRECTION"),
        (lambda ct: setattr(ct, "array", np.zeros((8, 8, 8, 3), np.uint8)), "INPUT_NOT_SCALAR"),
    ],
)
def test_bad_input_gives_its_code_and_leaves_the_worker_usable(application, model, change, code):
    ct = noisy_ct(SHORT, seed=2)
    run(application, ct, model)
    pid = application.worker_pid()
    bad = noisy_ct(SHORT, seed=2)
    change(bad)
    run(application, bad, model)
    assert application.listener.failures[-1].code == code
    run(application, ct, model)
    assert application.listener.results[-1][0].shape == list(SHORT)
    assert application.worker_pid() == pid
    application.run_until(lambda: not application.job_folders() and not application.result_folders())


def test_model_and_names_are_refused_by_their_codes(application, model):
    ct = noisy_ct(SHORT, seed=3)
    run(application, ct, "104-3mm")
    assert application.listener.failures[-1].code == "MODEL_MISSING"
    run(application, ct, model, ["livr"])
    problem = application.listener.failures[-1]
    assert problem.code == "STRUCTURE_UNKNOWN"
    assert problem.values["nearest"].startswith("liver")
    run(application, ct, model)
    assert application.listener.results[-1][0].found


@pytest.mark.parametrize("stage", [Stage.LOADING_MODEL, Stage.RESAMPLING, Stage.PREDICTING])
def test_cancelled_job_ends_soon(application, model, stage, tmp_path):
    if stage == Stage.LOADING_MODEL:  # the other one is in the worker's memory
        model = make_model_folder(tmp_path / "Dataset901_Seeded")
    cancelled = application.listener.cancelled
    application.listener.progress.clear()
    application.apply_with(noisy_ct(LONG), model_settings(str(model), Path("models"), None, "cpu"))
    application.run_until(lambda: stage in application.listener.stages, 120)
    application.cancel()
    seconds = application.run_until_idle()
    assert seconds < READY_SECONDS
    assert application.listener.cancelled == cancelled + 1
    application.run_until(lambda: not application.job_folders() and not application.result_folders())
    run(application, noisy_ct(SHORT), model)
    assert application.listener.results[-1][0].shape == list(SHORT)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by POSIX signals")
def test_killed_worker_leaves_nothing_and_the_next_job_runs(application, model):
    application.listener.progress.clear()
    application.apply_with(noisy_ct(LONG), model_settings(str(model), Path("models"), None, "cpu"))
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages, 120)
    os.kill(application.worker_pid(), signal.SIGKILL)
    seconds = application.run_until_idle()
    assert seconds < READY_SECONDS
    assert application.listener.failures[-1].code == "ENGINE_KILLED"
    application.run_until(lambda: folders_in(application.work_folder / "jobs") == [])
    run(application, noisy_ct(SHORT), model)
    assert application.listener.results[-1][0].shape == list(SHORT)


def test_log_holds_neither_paths_nor_identifiers(application, model):
    run(application, noisy_ct(SHORT, seed=4), model)
    log = application.manager.log_text
    assert "job ended: FinishedEvent" in log
    assert str(application.work_folder) not in log
    assert "1.2.3.4.5.6.7" not in log
