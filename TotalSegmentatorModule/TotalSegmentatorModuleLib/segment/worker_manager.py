"""Keeps at most one worker: starts it when needed, knows which CT it holds, clears up after those that ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.segment.ct_transfer import CtKey
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess


class WorkerManager:
    """The current worker and the ends of earlier ones. Nothing here waits; ``step`` is called with every tick."""

    def __init__(
        self,
        engine: EngineEnvironment,
        work_folder: Path,
        removal: FolderRemoval,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self.worker: WorkerProcess | None = None
        self._work_folder = work_folder
        self._removal = removal
        self._clock = clock
        self._ending: list[WorkerProcess] = []
        self._last_log = ""
        self._held: tuple[CtKey, str] | None = None

    @property
    def is_busy(self) -> bool:
        """True while an earlier worker is still ending."""
        return bool(self._ending)

    @property
    def log_text(self) -> str:
        """The end of the current worker's log, or of the last one's."""
        return self.worker.log_tail if self.worker else self._last_log

    def ensure_worker(self) -> WorkerProcess:
        """The worker that runs, or a new one that holds no CT. Raises OSError when none can be started."""
        if self.worker is not None:
            self.worker.poll()
            if not self.worker.is_running:
                self.kill()
        if self.worker is None:
            self.worker = WorkerProcess(self._engine, self._work_folder, self._clock)
        return self.worker

    def send(self, request: Any) -> None:
        """Send a request; that the worker is gone shows at the next poll."""
        if self.worker is not None:
            self.worker.send(request)

    def kill(self) -> None:
        """End the worker and all it started; its folder goes as soon as the process has."""
        worker, self.worker, self._held = self.worker, None, None
        if worker is not None:
            self._last_log = worker.log_tail
            worker.kill()
            self._ending.append(worker)

    def step(self) -> None:
        """Follow the workers that are ending."""
        for worker in [worker for worker in self._ending if worker.is_reaped()]:
            self._removal.add(worker.folder)
            self._ending.remove(worker)

    # -- the CT that the worker holds --------------------------------------------------------------------------------

    def remember_ct(self, key: CtKey, ct_id: str) -> None:
        """The current worker has been sent this CT."""
        self._held = (key, ct_id)

    def forget_ct(self) -> None:
        self._held = None

    def held_ct(self, key: CtKey) -> str | None:
        """The id under which the current worker holds this CT, None when it does not."""
        return self._held[1] if self._held and self._held[0] == key else None

    def shutdown(self) -> None:
        """Kill every worker; their folders are left to ``removal``."""
        self.kill()
        for worker in self._ending:
            self._removal.add(worker.folder)
        self._ending.clear()
