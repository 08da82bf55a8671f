"""Keeps at most one worker: starts it when needed, knows which CT it holds, clears up after those that ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.job_folder import results_folder, sweep
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.background.task_runner import ignore
from TotalSegmentatorModuleLib.background.worker_lease import WorkerLease
from TotalSegmentatorModuleLib.segment.ct_transfer import CtKey, key_of
from TotalSegmentatorModuleLib.segment.job_types import CtSource
from TotalSegmentatorModuleLib.segment.result_reader import unimported_results
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess

_IDLE_MS, _CLEARING_MS = 500, 50


class WorkerManager:
    """The current worker, the ends of earlier ones, and the work folder with its results.

    ``work_folder`` is private to the user; several Slicers may share it. Abandoned folders in it are removed at once.
    ``on_log`` gets whole lines that the worker has written to its log. Nothing here waits; a TaskRunner calls ``step``.
    """

    def __init__(self, engine: EngineEnvironment, work_folder: Path, on_log: Callable[[str], None] = ignore) -> None:
        self.work_folder = work_folder
        self.removal = FolderRemoval()
        self._engine = engine
        self._on_log = on_log
        self._worker: WorkerProcess | None = None
        self._ending: list[WorkerProcess] = []
        self._last_log = ""
        self._held: tuple[CtKey, str] | None = None
        self._imported: set[str] = set()
        sweep(work_folder)

    @property
    def log_text(self) -> str:
        """The end of the current worker's log, or of the last one's."""
        return self._worker.log_tail if self._worker else self._last_log

    def step(self) -> int | None:
        """Follow the worker and clear up; returns when it wants to be called again, as a TaskRunner's tick does."""
        self._poll()
        for worker in [worker for worker in self._ending if worker.is_reaped()]:
            self.removal.add(worker.folder)
            self._ending.remove(worker)
        self.removal.step()
        if self._ending or self.removal.is_busy:
            return _CLEARING_MS
        return _IDLE_MS if self._worker is not None else None

    def shutdown(self) -> None:
        """Kill every worker and remove the folders. Results are kept."""
        self.kill()
        for worker in self._ending:
            self.removal.add(worker.folder)
        self._ending.clear()
        self.removal.finish()

    # -- the worker ----------------------------------------------------------------------------------------------------

    @property
    def worker(self) -> WorkerProcess | None:
        """The worker that runs, as of the last step."""
        return self._worker

    def ensure_worker(self) -> WorkerProcess:
        """The worker that runs, or a new one that holds no CT. Raises OSError when none can be started."""
        self._poll()
        if self._worker is None:
            self._worker = WorkerProcess(self._engine, self.work_folder)
        return self._worker

    def kill(self) -> None:
        """End the worker and all it started; its folder goes as soon as the process has."""
        worker, self._worker, self._held = self._worker, None, None
        if worker is not None:
            self._last_log = worker.log_tail
            worker.kill()
            self._ending.append(worker)

    def replace_worker(self) -> None:
        """Kill the worker and start another one, so that the next job finds it ready."""
        self.kill()
        try:
            self.ensure_worker()
        except OSError as error:
            self._on_log("The engine could not be started again: {}\n".format(type(error).__name__))

    def _poll(self) -> None:
        if self._worker is not None:
            grown = self._worker.poll()
            if grown:
                self._on_log(grown)
            if not self._worker.is_running:
                self.kill()

    # -- the CT that the worker holds ----------------------------------------------------------------------------------

    def remember_ct(self, key: CtKey, ct_id: str) -> None:
        """The current worker has been sent this CT."""
        self._held = (key, ct_id)

    def forget_ct(self) -> None:
        self._held = None

    def held_ct(self, key: CtKey) -> str | None:
        """The id under which the current worker holds this CT, None when it does not."""
        return self._held[1] if self._held and self._held[0] == key else None

    def lease(self, ct: CtSource) -> WorkerLease | None:
        """The worker for a command on this CT; None where it does not hold it. The files that a job has looked up
        beside it do not matter."""
        self._poll()
        if self._worker is None or not self._worker.hello or self._held is None:
            return None
        key, ct_id = self._held
        is_same = dataclasses.replace(key, dicom_files=()) == dataclasses.replace(key_of(ct), dicom_files=())
        return WorkerLease(self._worker, ct_id) if is_same else None

    # -- results -------------------------------------------------------------------------------------------------------

    def result_folder(self, job_id: str) -> Path:
        return results_folder(self.work_folder) / job_id

    def unimported_results(self) -> list[ResultHeader]:
        """Results that were finished but neither imported nor declined, for instance because Slicer was closed."""
        headers = [each for each in unimported_results(self.work_folder) if each.job_id not in self._imported]
        return [header for header in headers if self.result_folder(header.job_id) not in self.removal]

    def result_imported(self, job_id: str) -> None:
        """The result is in the scene. Its files stay until they are discarded, or for the next Slicer if this one is
        killed before."""
        self._imported.add(job_id)

    def discard_result(self, job_id: str) -> None:
        """The result was imported or declined: its files are removed."""
        self.removal.add(self.result_folder(job_id))

    def discard_previews(self, job_id: str) -> None:
        """Of a job that is given up: those that were not imported."""
        for header in self.unimported_results():
            if header.preview_of == job_id:
                self.discard_result(header.job_id)
