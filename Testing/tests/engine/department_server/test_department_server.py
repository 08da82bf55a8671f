"""Jobs of the resident worker on a department server: a Dask scheduler with one worker, in this process."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from job_support import (
    MARK,
    Application,
    FakeCt,
    make_launcher,
    model_settings,
    needs_signals,
    soft_tissue_with_air,
    wait_for_no_process,
)
from one_model import model_task
from recording_relay import recording_relay
from reviewed_again import review_again
from seeded_models import make_catalogue_model, make_model_folder
from time_bounds import READY_SECONDS
from TotalSegmentatorEngine.cluster import versions
from TotalSegmentatorEngine.department_server import remote_segmentation
from TotalSegmentatorEngine.department_server.server_connection import connected
from TotalSegmentatorEngine.department_server.server_job import ServerJob
from TotalSegmentatorEngine.department_server.server_task import order_of
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.segment.job_types import JobSettings
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.segment import Stage
from TotalSegmentatorWire.user_folders import MODELS_VARIABLE

pytest.importorskip("distributed", reason="the department server needs Dask")

pytestmark = pytest.mark.slow  # two processes import torch, and one starts a scheduler

MODEL, SECOND_MODEL = "104-3mm", "117-3mm"
SHORT = (32, 40, 48)
LONG = (160, 200, 200)
"""Keeps the seeded network busy for many seconds: the job is cancelled meanwhile, or its server stopped."""

BUSY_SECONDS = 300.0
"""When a test gives up. What it waits for takes a second or two, and many of them on a busy machine, to which the
engine gives way."""


@contextlib.contextmanager
def started_cluster(**options):
    from distributed import LocalCluster

    settings = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "protocol": "tcp", "memory_limit": 0}
    with LocalCluster(host="127.0.0.1", dashboard_address="127.0.0.1:0", **(settings | options)) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Iterator[Path]:
    """The models folder of the server."""
    folder = tmp_path_factory.mktemp("models_of_the_server")
    make_catalogue_model(folder, MODEL)
    make_catalogue_model(folder, SECOND_MODEL)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(MODELS_VARIABLE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def cluster(models):
    with started_cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def application(tmp_path_factory):
    """Slicer, with one background process that has to survive all tests here."""
    folder = tmp_path_factory.mktemp("application")
    mark = uuid.uuid4().hex
    application = Application(folder / "work", EngineEnvironment(make_launcher(folder), {**os.environ, MARK: mark}))
    yield application
    application.shutdown()
    wait_for_no_process(mark)


def noisy_ct(shape: tuple[int, int, int] = SHORT, seed: int = 0) -> FakeCt:
    array = soft_tissue_with_air(shape)
    array += np.random.default_rng(seed).integers(-200, 200, shape, dtype=np.int16)
    ct = FakeCt(array)
    ct.ijk_to_ras = np.diag([-2.0, -2.0, 3.0, 1.0])
    return ct


def settings_of(cluster, model: str = MODEL, structures: list[str] | None = None, **changes) -> JobSettings:
    """With a models folder on this computer that does not exist."""
    server = DepartmentServer(cluster if isinstance(cluster, str) else cluster.scheduler_address)
    return dataclasses.replace(model_settings(model, Path("no models here"), structures, server=server), **changes)


def run(application: Application, ct: FakeCt, settings: JobSettings) -> None:
    application.listener.progress.clear()
    application.apply_with(ct, settings)
    application.run_until_idle(BUSY_SECONDS)


def failure(application: Application, settings: JobSettings, ct: FakeCt | None = None):
    """The problem in which a job ends."""
    before = len(application.listener.failures)
    run(application, ct or noisy_ct(), settings)
    assert len(application.listener.failures) == before + 1, application.manager.log_text
    return application.listener.failures[-1]


def dask_worker(cluster):
    return next(iter(cluster.workers.values()))


def wait_until_forgotten(cluster) -> None:
    """The server holds neither the CT nor the labels nor a task."""
    deadline = time.monotonic() + READY_SECONDS
    worker = dask_worker(cluster)
    while (worker.state.tasks or dict(worker.data) or cluster.scheduler.tasks) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (dict(worker.data), worker.state.tasks, cluster.scheduler.tasks) == ({}, {}, {})


def in_this_process(cluster, longest_wait: float = 60.0, files: tuple[str, ...] = ()):
    """A job without the background process, on a small CT. ``files``: of TLS."""
    ct = noisy_ct()
    volume = Volume(ct.array, Geometry(ct.array.shape, ct.ijk_to_ras))
    reporter = SilentReporter()
    with connected(DepartmentServer(cluster.scheduler_address, *files), reporter.check_cancelled) as client:
        order = order_of(model_task(MODEL, Path()), volume.geometry)
        return ServerJob(client, order, reporter, longest_wait).run(volume)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_the_result_is_that_of_this_computer(application, cluster, models):
    ct = noisy_ct()
    run(application, ct, model_settings(MODEL, models, device="cpu"))
    pid = application.worker_pid()
    local, local_labels = application.listener.results[-1]

    run(application, ct, settings_of(cluster))

    assert len(application.listener.results) == 2, application.listener.failures
    header, labels = application.listener.results[-1]
    assert np.array_equal(labels, local_labels)
    assert len(np.unique(labels)) > 2
    assert (header.found, header.absent, header.structures) == (local.found, local.absent, local.structures)
    assert all(found.digest and found.volume_ml for found in header.found)
    assert header.review == local.review and header.review["flags"]
    assert (header.models, header.device, header.series_instance_uid) == ([MODEL], "cpu", ct.series_instance_uid)
    assert [plan.tiles for plan in application.listener.plans][-1] == application.listener.plans[0].tiles > 1
    stages = application.listener.stages
    told = (Stage.ASKING_SERVER, Stage.SENDING_TO_SERVER, Stage.PREDICTING, Stage.REVIEWING)
    assert [stages.index(stage) for stage in told] == sorted(stages.index(stage) for stage in told)
    assert application.worker_pid() == pid
    wait_until_forgotten(cluster)


def test_structures_of_two_models_come_back_in_layers(application, cluster, models):
    """Seeded networks find noise, so that the structures overlap."""
    ct = noisy_ct(seed=3)
    requests = (
        ModelRequest(MODEL, ("urinary_bladder", "rib_left_6", "iliac_artery_right")),
        ModelRequest(SECOND_MODEL, ("vertebrae_C7", "rib_left_3", "rib_left_5")),
    )
    results = []
    for settings in (model_settings(MODEL, models, device="cpu"), settings_of(cluster)):
        run(application, ct, dataclasses.replace(settings, requests=requests))
        results.append((application.listener.results[-1][0], application.layers))
    (local, local_layers), (header, layers) = results

    assert header.models == [MODEL, SECOND_MODEL] and header.layers == len(layers) == 2
    assert header.found == local.found and header.review == local.review
    assert {found.model for found in header.found} == {MODEL, SECOND_MODEL}
    for labels, expected in zip(layers, local_layers, strict=True):
        assert np.array_equal(labels, expected)
    for found in header.found:
        assert np.count_nonzero(layers[found.layer] == found.label) == found.voxels


def test_an_edited_result_is_reviewed_again_on_this_computer(application, cluster, models):
    """As after a job on this computer, also what was sought and not found."""
    ct = noisy_ct(seed=5)
    asked = ["liver", "spleen", "kidney_left", "urinary_bladder"]
    flags = []
    for settings in (model_settings(MODEL, models, asked, "cpu"), settings_of(cluster, structures=asked)):
        run(application, ct, settings)
        header, labels = application.listener.results[-1]
        labels[: SHORT[0] // 2] = 0
        flags.append(review_again(application, ct, header, labels, asked))
    assert flags[0] == flags[1] != []


def test_only_voxels_and_geometry_leave_this_computer(application, cluster, models):
    ct = noisy_ct(seed=1)
    ct.series_instance_uid = "1.2.840.99999.7.5"
    port = urlsplit(cluster.scheduler_address).port
    with recording_relay(port) as relay:
        run(application, ct, settings_of(f"tcp://127.0.0.1:{relay.port}", structures=["liver", "spleen"]))
        sent = relay.sent
    header, _ = application.listener.results[-1]
    assert {found.name for found in header.found} <= {"liver", "spleen"}

    assert ct.array.tobytes() in sent and b"spleen" in sent  # the record is what was sent
    identifying = [
        ct.series_instance_uid,
        header.job_id,
        header.ct_id,
        str(application.work_folder),
        "no models here",
        str(models),
    ]
    assert [text for text in identifying if text.encode() in sent] == []


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("STRUCTURE_UNKNOWN", {"structures": ["livr"]}),
        ("SERVER_LACKS_MODEL", {"model": "117-6mm"}),
        ("CLUSTER_VERSIONS_DIFFER", {}),
    ],
)
def test_the_ct_stays_here_where_the_server_cannot_run_the_job(application, cluster, monkeypatch, code, changes):
    if code == "CLUSTER_VERSIONS_DIFFER":
        monkeypatch.setattr(versions, "ENGINE_VERSION", "0.0.1")  # of this process, which is the server
    ct = noisy_ct(seed=2)
    with recording_relay(urlsplit(cluster.scheduler_address).port) as relay:
        settings = settings_of(f"tcp://127.0.0.1:{relay.port}", **changes)
        assert failure(application, settings, ct).code == code
        assert relay.sent
        assert ct.array.tobytes()[:4096] not in relay.sent


def test_a_model_folder_of_this_computer_is_not_sought_on_the_server(application, cluster, tmp_path):
    folder = make_model_folder(tmp_path / "Dataset900_Seeded")
    problem = failure(application, settings_of(cluster, str(folder)))
    assert (problem.code, problem.values) == ("SERVER_LACKS_MODEL", {"model": "Dataset900_Seeded"})
    assert "on this computer" in problem.todo


def test_cancel_ends_the_job_here_and_there(application, cluster):
    pid, cancelled = application.worker_pid(), application.listener.cancelled
    application.listener.progress.clear()
    application.apply_with(noisy_ct(LONG), settings_of(cluster))
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages, BUSY_SECONDS)
    assert cluster.scheduler.tasks
    application.cancel()
    assert application.run_until_idle() < READY_SECONDS
    assert application.listener.cancelled == cancelled + 1
    wait_until_forgotten(cluster)
    assert application.worker_pid() == pid  # it was not killed
    application.run_until(lambda: not application.job_folders() and not application.result_folders())


def test_a_server_that_stops_in_the_middle_of_a_job(application, models):
    application.listener.progress.clear()
    with started_cluster() as cluster:
        application.apply_with(noisy_ct(LONG, seed=3), settings_of(cluster))
        application.run_until(lambda: Stage.PREDICTING in application.listener.stages, BUSY_SECONDS)
    assert application.run_until_idle() < READY_SECONDS
    problem = application.listener.failures[-1]
    assert problem.code == "SERVER_LOST"
    assert "on this computer" in problem.todo
    application.run_until(lambda: not application.job_folders() and not application.result_folders())


def test_an_address_where_nobody_answers(application):
    assert failure(application, settings_of(f"tcp://127.0.0.1:{free_port()}")).code == "SCHEDULER_NOT_REACHED"
    assert failure(application, settings_of("tcp://192.0.2.1:8786")).code == "SCHEDULER_NEEDS_TLS"


def test_workers_that_may_write_images_to_their_disk_get_none(application, models):
    import dask

    spilling = {"distributed.worker.memory.target": 0.6, "distributed.worker.memory.spill": 0.7}  # Dask's defaults
    with dask.config.set(spilling), started_cluster(memory_limit="4GB") as cluster:
        problem = failure(application, settings_of(cluster))
    assert problem.code == "SERVER_CANNOT_RUN_JOB"
    assert "--memory-limit 0" in problem.what


def test_memory_that_is_short_there_is_not_sought_here(cluster, monkeypatch):
    def refuse(*_):
        raise SegmentationError("MEMORY_SHORT", needed_gb=12.0, free_gb=3.0)

    monkeypatch.setattr(remote_segmentation, "segment", refuse)
    with pytest.raises(SegmentationError) as error:
        in_this_process(cluster)
    assert error.value.code == "SERVER_CANNOT_RUN_JOB"
    assert "12.0 GB needed, 3.0 GB free" in error.value.problem.what
    assert "on this computer" in error.value.problem.todo
    wait_until_forgotten(cluster)


def test_what_nobody_foresaw_stays_out_of_the_logs_of_the_server(cluster, monkeypatch, caplog):
    def fail(volume, *_):
        raise ValueError("numbers of the image: {}".format(volume.array[0, 0]))

    monkeypatch.setattr(remote_segmentation, "segment", fail)
    with caplog.at_level("DEBUG"), pytest.raises(SegmentationError) as error:
        in_this_process(cluster)
    assert error.value.code == "SERVER_CANNOT_RUN_JOB"
    assert "ValueError" in error.value.problem.what
    assert "unexpected error" in caplog.text
    from_dask = [record.getMessage() for record in caplog.records if record.name.startswith("distributed")]
    assert not [line for line in from_dask if "ijk_to_ras" in line or "array(" in line or "numbers of" in line]


def test_mutual_tls(models, tmp_path):
    import trustme
    from TotalSegmentatorEngine.cluster.tls_files import TlsFiles

    authority = trustme.CA()
    certificate = authority.issue_cert("server.example")
    files = [tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")]
    authority.cert_pem.write_to_path(files[0])
    certificate.cert_chain_pems[0].write_to_path(files[1])
    certificate.private_key_pem.write_to_path(files[2])
    with started_cluster(protocol="tls", security=TlsFiles(*files).security()) as cluster:
        result = in_this_process(cluster, files=tuple(str(path) for path in files))
        assert result.found
        with pytest.raises(SegmentationError) as error:
            in_this_process(cluster)
    assert error.value.code == "SCHEDULER_NEEDS_TLS"


def test_no_worker_is_free(cluster):
    from distributed import Client

    with Client(cluster.scheduler_address, set_as_default=False) as other:
        occupied = other.submit(time.sleep, 2.0, pure=False)
        with pytest.raises(SegmentationError) as error:
            in_this_process(cluster, longest_wait=0.3)
        assert error.value.code == "SERVER_BUSY"
        occupied.result()
    wait_until_forgotten(cluster)
    with started_cluster(n_workers=0) as empty, pytest.raises(SegmentationError) as error:
        in_this_process(empty, longest_wait=0.3)
    assert error.value.code == "SERVER_BUSY"


@needs_signals
def test_a_killed_background_process_leaves_nothing_on_the_server(application, cluster):
    application.listener.progress.clear()
    application.apply_with(noisy_ct(LONG, seed=4), settings_of(cluster))
    application.run_until(lambda: Stage.PREDICTING in application.listener.stages, BUSY_SECONDS)
    os.kill(application.worker_pid(), signal.SIGKILL)
    application.run_until_idle()
    wait_until_forgotten(cluster)
