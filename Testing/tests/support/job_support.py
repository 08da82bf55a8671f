"""What the tests of worker and jobs share: a CT, a listener, an application's event loop, traces of processes."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hand_timer import HandTimer
from places import FAKES
from time_bounds import READY_SECONDS
from TotalSegmentatorModuleLib.background import process_group
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.task_runner import TaskEnd, TaskRunner
from TotalSegmentatorModuleLib.segment.job import SegmentationJob
from TotalSegmentatorModuleLib.segment.job_types import JobCallbacks, JobSettings
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.department_server import DepartmentServer
from TotalSegmentatorWire.messages.model_request import model_request
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import EVENTS, HelloEvent, ResultHeader, Stage, decode

FAKE_ENGINE = FAKES / "fake_engine.py"
MARK = "TOTALSEGMENTATOR_TEST_MARK"

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

_REST_MS = 20  # where the timer rests: somebody waits for a process

needs_signals = pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")

LAUNCHER = """#!/bin/sh
# Like PythonSlicer: starts the real interpreter, hands its standard input on, waits, and hides which signal ended it.
"{python}" "$@"
status=$?
if [ $status -gt 128 ]; then
    echo "error: [{python}] exit abnormally - Report the problem." >&2
    exit 1
fi
exit $status
"""


class FakeCt:
    """A CT of the scene. ``edit`` changes it as a user would."""

    def __init__(self, array: np.ndarray | None = None) -> None:
        self.array = soft_tissue_with_air() if array is None else array
        self.ijk_to_ras = np.diag([-1.0, -1.0, 2.5, 1.0])
        self.series_instance_uid = "1.2.3.4.5.6.7"
        self.dicom_files: list[str] = []
        self._stamp = uuid.uuid4().hex

    def change_stamp(self) -> Hashable:
        return self._stamp

    def edit(self, change: Callable[[np.ndarray], None]) -> None:
        change(self.array)
        self._stamp = uuid.uuid4().hex


def soft_tissue_with_air(shape: tuple[int, int, int] = (12, 16, 20)) -> np.ndarray:
    """40 HU with a box of air in one corner, int16."""
    array = np.full(shape, 40, dtype=np.int16)
    array[: shape[0] // 3, : shape[1] // 4, : shape[2] // 2] = -1000
    return array


def expected_labels(array: np.ndarray) -> np.ndarray:
    """What the fake engine answers."""
    return np.where(array > 0, 1, np.where(array < -500, 2, 0)).astype(np.uint8)


class Listener:
    """Remembers everything that a job calls."""

    def __init__(self) -> None:
        self.progress: list[tuple] = []
        self.plans: list[Plan] = []
        self.warnings: list[Problem] = []
        self.failures: list[Problem] = []
        self.results: list[tuple[ResultHeader, np.ndarray]] = []
        self.cancelled = 0
        self.log = ""

    @property
    def callbacks(self) -> JobCallbacks:
        return JobCallbacks(
            on_progress=lambda *progress: self.on_progress(*progress),  # a test may have put another one in its place
            on_plan=self.plans.append,
            on_warning=self.warnings.append,
            on_log=self.on_log,
        )

    def on_progress(self, fraction, stage, seconds_left, tile, tiles) -> None:
        self.progress.append((fraction, stage))

    def on_log(self, text: str) -> None:
        self.log += text

    def on_result(self, header: ResultHeader, labels: np.ndarray) -> None:
        self.results.append((header, labels))

    def on_end(self, end: TaskEnd) -> None:
        if end.problem is not None:
            self.failures.append(end.problem)
        elif end.is_cancelled:
            self.cancelled += 1

    @property
    def stages(self) -> list[str]:
        return [stage for _, stage in self.progress]

    @property
    def ends(self) -> int:
        return len(self.results) + len(self.failures) + self.cancelled


@contextlib.contextmanager
def usual_priority() -> Iterator[None]:
    """What Slicer's side starts does not give way: the other tests on all cores would let it stand still."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process_group, "beside_slicer", dict)
        yield


class Application:
    """Plays Slicer: runs jobs as the panel's session does, and turns the timer."""

    def __init__(self, work_folder: Path, engine: EngineEnvironment) -> None:
        self.work_folder = work_folder
        self.listener = Listener()
        self.tick_seconds: list[float] = []
        self.manager = WorkerManager(engine, work_folder, self.listener.on_log)
        self._runner = TaskRunner(self._make_timer, work_folder, tidy_up=self.manager.step)
        self.layers: list[np.ndarray] = []
        """Of the last result, uint8 (k, j, i)."""

    def _make_timer(self, tick: Callable[[], int | None]) -> HandTimer:
        self._timer = HandTimer(tick)
        return self._timer

    @property
    def is_busy(self) -> bool:
        return self._runner.is_busy

    def apply(self, ct: FakeCt, stage: str = "", act: str = "") -> None:
        self.apply_with(ct, settings_for(stage, act))

    def apply_with(
        self,
        ct: FakeCt,
        settings: JobSettings,
        on_preview: Callable[[ResultHeader, list[np.ndarray]], None] | None = None,
    ) -> None:
        """``on_preview`` gets the layers of the preview, if the job has one."""

        def take(job_id: str) -> Iterator[int]:
            header, images = yield from job.read(job_id)
            on_preview(header, [image.array for image in images])
            self.manager.discard_result(job_id)

        taken = None if on_preview is None else take
        job = SegmentationJob(self.manager, self.listener.callbacks, new_image, taken)
        self._runner.start(self._import(job.run(ct, settings)), self.listener.on_end)

    def receive(self, job_id: str) -> None:
        """Import a result that waits."""
        job = SegmentationJob(self.manager, self.listener.callbacks, new_image)
        self._runner.start(self._import(job.receive(job_id)), self.listener.on_end)

    def _import(self, task):
        header, images = yield from task
        self.layers = [image.array for image in images]
        self.listener.on_result(header, self.layers[0])
        self.manager.discard_result(header.job_id)

    def cancel(self) -> None:
        self._runner.cancel()

    def shutdown(self) -> None:
        self._runner.dispose()
        self.manager.shutdown()

    def turn(self) -> int | None:
        """One tick of the timer; returns in how many milliseconds it wants the next one."""
        return self._timer.turn()

    def run_until(self, condition: Callable[[], bool], seconds: float = 60.0) -> float:
        """Run the event loop until ``condition``; returns the seconds that took, fails after ``seconds``."""
        begun = time.monotonic()
        while not condition():
            waited = time.monotonic() - begun
            assert waited < seconds, "nothing after {:.1f} s; last stages {}, failures {}, log:\n{}".format(
                waited, self.listener.stages[-3:], self.listener.failures, self.manager.log_text
            )
            tick_begun = time.perf_counter()
            wait_ms = self.turn()
            self.tick_seconds.append(time.perf_counter() - tick_begun)
            time.sleep((_REST_MS if wait_ms is None else wait_ms) / 1000.0)
        return time.monotonic() - begun

    def run_until_idle(self, seconds: float = 60.0) -> float:
        return self.run_until(lambda: not self.is_busy, seconds)

    def run_job(self, ct: FakeCt, stage: str = "", act: str = "") -> None:
        """One job to its end."""
        self.apply(ct, stage, act)
        self.run_until_idle()

    def worker_pid(self) -> int:
        """The process id of the worker that greeted last."""
        hellos = [hello for folder in self.worker_folders() for hello in hellos_in(folder)]
        return hellos[-1].pid

    def worker_folders(self) -> list[Path]:
        folders = [folder for folder in folders_in(self.work_folder / "jobs") if folder.name.startswith("worker-")]
        return sorted(folders, key=lambda folder: folder.stat().st_ctime)

    def job_folders(self) -> list[Path]:
        return [folder for folder in folders_in(self.work_folder / "jobs") if not folder.name.startswith("worker-")]

    def result_folders(self) -> list[Path]:
        return folders_in(self.work_folder / "results")


def new_image(shape: tuple[int, int, int]) -> SimpleNamespace:
    """What a job's labels are read into."""
    return SimpleNamespace(array=np.zeros(shape, dtype=np.uint8))


def hellos_in(folder: Path) -> list[HelloEvent]:
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines() if path.exists() else []
    return [event for event in (decode(line, EVENTS) for line in lines) if isinstance(event, HelloEvent)]


def settings_for(stage: str = "", act: str = "") -> JobSettings:
    """Settings that tell the fake engine what to do at which stage."""
    return model_settings(json.dumps({"stage": stage, "act": act}), Path("models"))


def model_settings(
    model: str,
    models_folder: Path,
    structures: Iterable[str] | None = None,
    device: str = "auto",
    options: JobOptions | None = None,
    server: DepartmentServer | None = None,
) -> JobSettings:
    """What to run of one model."""
    return JobSettings((model_request(model, structures),), models_folder, device, options or JobOptions(), server)


def folders_in(parent: Path) -> list[Path]:
    return sorted(parent.iterdir()) if parent.is_dir() else []


def make_launcher(folder: Path) -> str:
    """A program that starts Python as Slicer's launcher does; on Windows, Python itself."""
    if os.name == "nt":
        return sys.executable
    launcher = folder / "PythonSlicer"
    launcher.write_text(LAUNCHER.format(python=sys.executable), encoding="utf-8")
    launcher.chmod(0o755)
    return str(launcher)


def engine_environment(python: str, mark: str, idle_seconds: float = 60.0, **settings: object) -> EngineEnvironment:
    """The fake engine with ``settings``; all its processes carry ``mark`` in their environment."""
    environment = {**os.environ, MARK: mark, "FAKE_ENGINE": json.dumps(settings)}
    return EngineEnvironment(python, environment, idle_seconds=idle_seconds, program=FAKE_ENGINE)


def marked_processes(mark: str) -> list[int]:
    """Processes (no zombies) that inherited ``mark``, this one excepted. Linux only; elsewhere none are found."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            is_marked = "{}={}".format(MARK, mark).encode() in (folder / "environ").read_bytes().split(b"\0")
            is_zombie = (folder / "stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            continue
        if is_marked and not is_zombie and int(folder.name) != os.getpid():
            found.append(int(folder.name))
    return found


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
