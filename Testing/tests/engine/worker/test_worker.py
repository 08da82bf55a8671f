"""The worker as a process that Slicer's side talks to: requests on its standard input, events in its folders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from job_support import FAKE_ENGINE, MARK, expected_labels, folders_in, soft_tissue_with_air
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.background.engine_environment import PACKAGES_VARIABLE, EngineEnvironment
from TotalSegmentatorWire.command.log_text import describe_exception, without_names
from TotalSegmentatorWire.job_folder import create_owned_folder, new_id, read_owner, worker_folder_name
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import (
    EVENTS,
    PROTOCOL_VERSION,
    ByeEvent,
    CancelledEvent,
    CancelRequest,
    CtHeader,
    FailedEvent,
    FinishedEvent,
    HelloEvent,
    NeedCtEvent,
    PlanEvent,
    PlanRequest,
    ProgressEvent,
    QuitRequest,
    SegmentRequest,
    Stage,
    StartedEvent,
    decode,
    encode,
    header_to_json,
    result_header_from_json,
)
from TotalSegmentatorWire.resources import ENGINE_PROGRAM

BUSY_SECONDS = 60.0
"""When a test gives up; what it waits for takes a second, and many of them on a busy machine."""


class WorkerUnderTest:
    """A worker process with its folders."""

    def __init__(
        self, work: Path, program: Path = FAKE_ENGINE, idle: float = 60.0, protocol: int = PROTOCOL_VERSION, **fake
    ) -> None:
        self.work = work
        self.folder = create_owned_folder(work / "jobs", worker_folder_name())
        arguments = [sys.executable, str(program), "serve", "--protocol", str(protocol)]
        arguments += ["--worker-folder", str(self.folder), "--idle-seconds", str(idle)]
        self.log = (work / "log").open("ab")
        self.process = subprocess.Popen(
            arguments,
            env={**os.environ, MARK: uuid.uuid4().hex, "FAKE_ENGINE": json.dumps(fake)},
            stdin=subprocess.PIPE,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )

    def send(self, request: object) -> None:
        self.process.stdin.write((encode(request) + "\n").encode())

    def job(self, array: np.ndarray | None = None, ct_id: str = "", stage: str = "", act: str = "") -> SegmentRequest:
        """A job folder as Slicer's side makes it, and the request for it; without ``array`` the CT is cached."""
        job_id = new_id()
        folder = create_owned_folder(self.work / "jobs", job_id)
        if array is not None:
            array.tofile(folder / "ct.raw")
        header = CtHeader(ct_id, [12, 16, 20], "int16", np.diag([1.0, 1.0, 2.0, 1.0]).ravel().tolist(), "1.2.3")
        (folder / "ct.json").write_text(header_to_json(header), encoding="utf-8")
        return SegmentRequest(
            job_id=job_id,
            job_folder=str(folder),
            results_folder=str(self.work / "results"),
            ct_id=ct_id,
            ct_is_cached=array is None,
            requests=[ModelRequest(json.dumps({"stage": stage, "act": act})).to_json()],
            models_folder="models",
        )

    def question(self, act: str = "") -> PlanRequest:
        """What a job would do with a CT of 40 slices."""
        folder = create_owned_folder(self.work / "jobs", new_id())
        matrix = np.diag([1.0, 1.0, 2.0, 1.0]).ravel().tolist()
        requests = [ModelRequest(json.dumps({"stage": "", "act": act})).to_json()]
        return PlanRequest(folder.name, str(folder), "", [40, 50, 60], matrix, requests, "models", "cuda")

    def events(self, folder: Path | str | None = None) -> list:
        path = Path(folder or self.folder) / "events.jsonl"
        return [decode(line, EVENTS) for line in path.read_bytes().splitlines()] if path.exists() else []

    def wait_for(self, kind: type, request: SegmentRequest | None = None, seconds: float = BUSY_SECONDS):
        """The first event of this kind in the job's (or the worker's) events."""
        deadline = time.monotonic() + seconds
        while True:
            events = self.events(request.job_folder if request else None)
            found = [event for event in events if isinstance(event, kind)]
            if found:
                return found[0]
            assert time.monotonic() < deadline, (events, (self.work / "log").read_text())
            time.sleep(0.01)

    def wait_for_stage(self, request: SegmentRequest, stage: str) -> None:
        deadline = time.monotonic() + BUSY_SECONDS
        while not any(getattr(event, "stage", None) == stage for event in self.events(request.job_folder)):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.log.close()


@pytest.fixture
def start_worker(tmp_path):
    workers = []

    def start(**options) -> WorkerUnderTest:
        work = tmp_path / str(len(workers))
        work.mkdir()
        workers.append(WorkerUnderTest(work, **options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.stop()


# -- greeting ----------------------------------------------------------------------------------------------------------


def test_worker_greets_with_its_versions(start_worker):
    worker = start_worker()
    hello = worker.wait_for(HelloEvent)
    assert hello.protocol == PROTOCOL_VERSION
    assert hello.pid == worker.process.pid
    assert hello.python == "{}.{}.{}".format(*sys.version_info)


def test_worker_refuses_another_protocol(start_worker):
    worker = start_worker(protocol=PROTOCOL_VERSION + 1)
    problem = worker.wait_for(FailedEvent).problem
    assert problem["code"] == "PROTOCOL_MISMATCH"
    assert problem["values"] == {"expected": PROTOCOL_VERSION + 1, "found": PROTOCOL_VERSION}
    assert worker.process.wait(BUSY_SECONDS) == 54
    assert [type(event) for event in worker.events()] == [HelloEvent, FailedEvent, ByeEvent]


def test_real_engine_greets_before_it_has_torch_and_ends_on_request(start_worker):
    worker = start_worker(program=ENGINE_PROGRAM)
    worker.wait_for(HelloEvent)
    worker.send(QuitRequest())
    assert worker.process.wait(60) == 0
    assert worker.wait_for(ByeEvent).reason == "quit"


def test_real_engine_without_its_packages_says_which_is_missing(tmp_path):
    """An interpreter without site-packages: nothing of the engine can be imported, nothing may be a traceback."""
    folder = create_owned_folder(tmp_path / "jobs", worker_folder_name())
    arguments = [sys.executable, "-S", "-I", str(ENGINE_PROGRAM), "serve"]
    arguments += ["--protocol", str(PROTOCOL_VERSION), "--worker-folder", str(folder)]
    answer = subprocess.run(arguments, stdin=subprocess.PIPE, capture_output=True, check=False, text=True)
    events = [decode(line, EVENTS) for line in (folder / "events.jsonl").read_bytes().splitlines()]
    assert answer.returncode == 50
    assert events[1].problem["code"] == "ENGINE_MISSING"
    assert events[1].problem["values"] == {"package": "numpy"}
    assert "Traceback" not in answer.stderr


def test_packages_folder_goes_first(tmp_path):
    """What lies in the chosen folder wins over the interpreter's own packages (here it breaks the import of torch)."""
    (tmp_path / "packages" / "torch").mkdir(parents=True)
    (tmp_path / "packages" / "torch" / "__init__.py").write_text("raise ImportError('the chosen folder')")
    engine = EngineEnvironment(sys.executable, dict(os.environ), packages_folder=tmp_path / "packages")
    folder = create_owned_folder(tmp_path / "jobs", worker_folder_name())
    environment = engine.process_environment()
    assert environment[PACKAGES_VARIABLE] == str(tmp_path / "packages")
    arguments = engine.serve_arguments(folder)
    with subprocess.Popen(arguments, env=environment, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as worker:
        assert worker.wait(60) == 51
        assert b"the chosen folder" in worker.stderr.read()


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_job_leaves_its_result_and_nothing_else(start_worker):
    worker = start_worker()
    array = soft_tissue_with_air()
    request = worker.job(array, "ct-1")
    worker.send(request)
    finished = worker.wait_for(FinishedEvent, request)

    result = worker.work / "results" / request.job_id
    assert finished.result_folder == str(result)
    assert sorted(path.name for path in result.iterdir()) == [
        "computed.json",
        "labels.raw",
        "owner.json",
        "result.json",
    ]
    labels = np.fromfile(result / "labels.raw", dtype=np.uint8).reshape(array.shape)
    assert np.array_equal(labels, expected_labels(array))
    header = result_header_from_json((result / "result.json").read_text(encoding="utf-8"))
    assert (header.job_id, header.ct_id, header.series_instance_uid) == (request.job_id, "ct-1", "1.2.3")
    assert [found.voxels for found in header.found] == [(labels == 1).sum(), (labels == 2).sum()]
    assert read_owner(result) == read_owner(Path(request.job_folder))
    left = sorted(path.name for path in Path(request.job_folder).iterdir())
    assert left == ["ct.json", "events.jsonl", "owner.json"]


def test_worker_says_what_a_job_would_do(start_worker):
    """Before the CT is there; what is asked in vain fails alone, and a job can follow at once."""
    worker = start_worker()
    possible, impossible, job = worker.question(), worker.question("no model"), worker.job(soft_tissue_with_air(), "1")
    for request in (possible, impossible, job):
        worker.send(request)
    planned = plan_from_json(worker.wait_for(PlanEvent, possible).plan)
    assert (planned.passes[0].shape, planned.device, planned.seconds) == ([40, 50, 60], "cuda", 40.0)
    assert worker.wait_for(FailedEvent, impossible).problem["code"] == "MODEL_MISSING"
    worker.wait_for(FinishedEvent, job)
    told = [type(event) for event in worker.events(possible.job_folder) if not isinstance(event, ProgressEvent)]
    assert told == [StartedEvent, PlanEvent]


def test_events_of_a_job_come_in_order(start_worker):
    worker = start_worker()
    request = worker.job(soft_tissue_with_air(), "ct-1")
    worker.send(request)
    worker.wait_for(FinishedEvent, request)
    events = worker.events(request.job_folder)
    assert isinstance(events[0], StartedEvent)
    assert isinstance(events[-1], FinishedEvent)
    progress = [event for event in events if isinstance(event, ProgressEvent)]
    fractions = [event.fraction for event in progress]
    assert fractions == sorted(fractions)
    stages = [event.stage for event in progress]
    order = sorted(set(stages), key=stages.index)
    assert order == [stage for stage in Stage.ALL if stage in order]


def test_cached_ct_is_used_and_an_unknown_one_requested(start_worker):
    worker = start_worker()
    requests = [worker.job(soft_tissue_with_air(), "ct-1"), worker.job(ct_id="ct-1"), worker.job(ct_id="ct-2")]
    for request in requests:
        worker.send(request)
    worker.wait_for(FinishedEvent, requests[1])
    worker.wait_for(NeedCtEvent, requests[2])


def test_worker_survives_everything_and_serves_the_next(start_worker):
    worker = start_worker()
    no_ct = worker.job(None, "ct-1")
    no_ct = SegmentRequest(**{**no_ct.__dict__, "ct_is_cached": False})
    no_folder = SegmentRequest(**{**no_ct.__dict__, "job_folder": str(worker.work / "gone"), "job_id": new_id()})
    crash = worker.job(soft_tissue_with_air(), "ct-2", Stage.PREDICTING, "crash")
    refuse = worker.job(soft_tissue_with_air(), "ct-2", Stage.PREDICTING, "refuse")
    good = worker.job(soft_tissue_with_air(), "ct-3")
    worker.process.stdin.write(b'\n{"kind": "dance"}\nnot json\n\xff\xfe\n')
    for request in (no_ct, no_folder, crash, refuse, good):
        worker.send(request)

    worker.wait_for(FinishedEvent, good)

    assert worker.wait_for(FailedEvent, no_ct).problem["code"] == "INTERNAL_ERROR"
    assert worker.wait_for(FailedEvent, crash).problem["values"] == {"kind": "ValueError"}
    assert worker.wait_for(FailedEvent, refuse).problem["code"] == "MEMORY_SHORT"
    assert [event.problem["code"] for event in worker.events()[1:]] == ["BAD_REQUEST"] * 3
    assert "Smith" not in (worker.work / "log").read_text()
    assert not list((worker.work / "jobs").rglob("ct.raw"))


@pytest.mark.parametrize("channel", ["request", "file"])
def test_job_is_cancelled_by_request_or_by_file(start_worker, channel):
    worker = start_worker()
    request = worker.job(soft_tissue_with_air(), "ct-1", Stage.WRITING, "slow")
    worker.send(request)
    worker.wait_for_stage(request, Stage.WRITING)
    if channel == "request":
        worker.send(CancelRequest(request.job_id))
    else:
        (Path(request.job_folder) / "cancel").touch()
    worker.wait_for(CancelledEvent, request, READY_SECONDS)
    assert folders_in(worker.work / "results") == []
    assert sorted(path.name for path in Path(request.job_folder).iterdir() if path.name != "cancel") == [
        "ct.json",
        "events.jsonl",
        "owner.json",
    ]


def test_waiting_job_is_cancelled_while_another_one_runs(start_worker):
    worker = start_worker()
    running = worker.job(soft_tissue_with_air(), "ct-1", Stage.PREDICTING, "slow")
    waiting = worker.job(ct_id="ct-1")
    for request in (running, waiting, CancelRequest(waiting.job_id)):
        worker.send(request)
    worker.wait_for(CancelledEvent, waiting)
    assert not any(isinstance(event, CancelledEvent) for event in worker.events(running.job_folder))


def test_quit_cancels_the_running_job(start_worker):
    worker = start_worker()
    request = worker.job(soft_tissue_with_air(), "ct-1", Stage.PREDICTING, "slow")
    worker.send(request)
    worker.wait_for_stage(request, Stage.PREDICTING)
    worker.send(QuitRequest())
    assert worker.process.wait(BUSY_SECONDS) == 0
    worker.wait_for(CancelledEvent, request)
    assert worker.wait_for(ByeEvent).reason == "quit"


def test_idle_worker_ends(start_worker):
    worker = start_worker(idle=0.3)
    assert worker.process.wait(BUSY_SECONDS) == 0
    assert worker.wait_for(ByeEvent).reason == "idle"


@pytest.mark.parametrize("act", ["slow", "deaf"])
def test_end_of_the_standard_input_removes_the_folders_at_once(start_worker, act):
    worker = start_worker()
    request = worker.job(soft_tissue_with_air(), "ct-1", Stage.PREDICTING, act)
    worker.send(request)
    worker.wait_for_stage(request, Stage.PREDICTING)
    worker.process.stdin.close()
    deadline = time.monotonic() + READY_SECONDS
    while folders_in(worker.work / "jobs") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert folders_in(worker.work / "jobs") == []
    assert worker.process.wait(BUSY_SECONDS) == 0


def test_full_disk_is_reported_before_the_result_is_written(tmp_path, monkeypatch):
    from TotalSegmentatorEngine.worker import job_files
    from TotalSegmentatorWire.errors.problem import SegmentationError

    usage = type("Usage", (), {"free": 1_000_000})
    monkeypatch.setattr(job_files.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(SegmentationError, match="1 MB free"):
        job_files.write_draft(tmp_path, None, np.zeros((2, 2, 2), np.uint8), None, lambda _share: None)
    assert list(tmp_path.iterdir()) == []


# -- the log -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cannot open '/data/Doe^Jane/ct.dcm'", "cannot open <path>"),
        (r'cannot open "C:\CT\Doe Jane\1.dcm" twice', "cannot open <path> twice"),
        ("cannot open /data/Doe Jane/ct.dcm", "cannot open <path>"),
        (r"cannot open \\server\share\Doe Jane", "cannot open <path>"),
        (r"cannot open D:\CT\Doe Jane", "cannot open <path>"),
        ("series 1.2.840.113619.2.55.3 has 3 slices", "series <uid> has 3 slices"),
        ("12.5 s, 3/4 done, torch 2.13.0", "12.5 s, 3/4 done, torch 2.13.0"),
    ],
)
def test_log_names_nobody(text, expected):
    assert without_names(text) == expected


def test_traceback_is_whole_and_names_nobody():
    def read(path: str) -> None:
        Path(path).read_bytes()

    try:
        try:
            read("/nowhere/Doe^Jane.dcm")
        except OSError as error:
            raise RuntimeError("reading failed") from error
    except RuntimeError as error:
        text = describe_exception(error)
    assert "FileNotFoundError" in text
    assert "in read" in text
    assert text.index("FileNotFoundError") < text.index("RuntimeError: reading failed")
    assert "Jane" not in text.replace('read("/nowhere/Doe^Jane.dcm")', "")
