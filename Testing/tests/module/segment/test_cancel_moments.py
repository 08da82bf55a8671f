"""Cancel in a real worker process, at each stage and at moments drawn by chance: the job ends by itself, and the worker
lives on with its networks and its CT."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
from job_support import Application, FakeCt, make_launcher, model_settings, soft_tissue_with_air
from seeded_models import configuration_settings, make_model_folder, plans_of
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.segment import cancellation
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import Stage

pytestmark = pytest.mark.slow  # the worker imports torch, and whole jobs of some seconds run

SHAPE = (40, 256, 256)
"""Labels of so many voxels are resampled for half a second and more between two tiles."""
STRUCTURES = [f"structure_{number}" for number in range(50)]
OPTIONS = JobOptions(runtime="eager", largest_piece=True, smallest_island_mm3=100.0)
LONG_STAGES = [Stage.RESAMPLING, Stage.PREDICTING, Stage.LABELLING, Stage.RESTORING]
RANDOM_MOMENTS = 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its networks get another grid than the CT's, normalised by the statistics of what is not 0."""
    settings = configuration_settings((32, 32, 32), (6.0, 6.0, 6.0))
    settings["normalization_schemes"], settings["use_mask_for_norm"] = ["ZScoreNormalization"], [True]
    plans = plans_of(settings, reader="SimpleITKIO")
    return make_model_folder(tmp_path_factory.mktemp("models") / "Dataset900_Seeded", STRUCTURES, plans)


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("application")
    application = Application(folder / "work", EngineEnvironment(make_launcher(folder), dict(os.environ)))
    yield application
    application.shutdown()


@pytest.fixture(scope="module")
def ct() -> FakeCt:
    ct = FakeCt(soft_tissue_with_air(SHAPE))
    rows, columns = np.indices(SHAPE[1:])
    ct.array += (150 * np.sin(rows / 9) * np.cos(columns / 11)).astype(np.int16)
    ct.ijk_to_ras = np.diag([-2.0, -2.0, 4.0, 1.0])
    return ct


@pytest.fixture(scope="module")
def seconds_of_a_job(application: Application, ct: FakeCt, model: Path) -> float:
    """Of one that is not cancelled."""
    start(application, ct, model)
    seconds = application.run_until_idle(300)
    assert application.listener.failures == []
    assert application.listener.results[-1][0].found
    return seconds


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker gets ten times as long before it is killed, as all bounds of time in tests do."""
    monkeypatch.setattr(cancellation, "CANCEL_SECONDS", READY_SECONDS)


def start(application: Application, ct: FakeCt, model: Path) -> None:
    application.listener.progress.clear()
    application.apply_with(ct, model_settings(str(model), Path("models"), None, "cpu", OPTIONS))


def cancel(application: Application, pid: int) -> None:
    """Cancels the job that runs, and finds the same worker ready for the next."""
    application.cancel()
    assert application.run_until_idle(120) < READY_SECONDS
    assert application.worker_pid() == pid
    assert application.listener.failures == []
    application.run_until(lambda: not application.job_folders() and not application.result_folders())


@pytest.mark.usefixtures("patient", "seconds_of_a_job")
@pytest.mark.parametrize("stage", LONG_STAGES)
def test_a_job_ends_by_itself_at_each_stage(application: Application, ct: FakeCt, model: Path, stage: str) -> None:
    pid, cancelled, ends = application.worker_pid(), application.listener.cancelled, application.listener.ends
    start(application, ct, model)
    application.run_until(lambda: stage in application.listener.stages or not application.is_busy, 300)
    is_reached = application.is_busy  # a quick computer makes labels before that is worth a stage of its own
    cancel(application, pid)
    assert application.listener.ends == ends + 1
    if is_reached and stage != Stage.RESTORING:  # which may be over before the worker looks for the file
        assert application.listener.cancelled == cancelled + 1


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("seed", range(RANDOM_MOMENTS))
def test_a_job_ends_by_itself_at_any_moment(
    application: Application, ct: FakeCt, model: Path, seed: int, seconds_of_a_job: float
) -> None:
    if seed == 0:
        ct.edit(lambda array: None)  # the CT is sent, read and preprocessed anew
    pid, ends = application.worker_pid(), application.listener.ends
    start(application, ct, model)
    moment = random.Random(seed).uniform(0.0, seconds_of_a_job)
    ticks = iter(range(max(1, round(moment / 0.02))))
    application.run_until(lambda: next(ticks, None) is None or not application.is_busy, 300)
    if application.is_busy:
        cancel(application, pid)
    assert application.listener.ends == ends + 1
    assert application.worker_pid() == pid


@pytest.mark.usefixtures("patient", "seconds_of_a_job")
def test_the_next_job_runs_to_its_end_in_the_same_worker(application: Application, ct: FakeCt, model: Path) -> None:
    pid, first = application.worker_pid(), application.listener.results[0][1]
    start(application, ct, model)
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages, 300)
    cancel(application, pid)
    start(application, ct, model)
    application.run_until_idle(300)
    assert application.worker_pid() == pid
    assert np.array_equal(application.listener.results[-1][1], first)
