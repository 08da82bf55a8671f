"""Runs one segmentation at a time in the worker process: what the panel calls.

No Qt and no slicer here: a timer of the panel calls ``tick``, and everything happens in that call, a little at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.job_folder import results_folder, sweep
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.folder_removal import FolderRemoval
from TotalSegmentatorModuleLib.segment.job_state_machine import JobFlow
from TotalSegmentatorModuleLib.segment.job_types import CtSource, JobBusyError, JobListener, JobSettings, JobState
from TotalSegmentatorModuleLib.segment.result_reader import waiting_results
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager

_INTERVALS_MS = {
    JobState.IDLE: 500,
    JobState.SENDING: 10,
    JobState.STARTING: 20,
    JobState.RUNNING: 30,
    JobState.CANCELLING: 20,
    JobState.RECEIVING: 5,
}
_CLEARING_MS = 50  # while folders are being removed


class JobController:
    """One job at a time, one worker that stays alive between jobs.

    ::

        controller = JobController(EngineEnvironment(sys.executable, startup_environment), work_folder, listener)
        controller.apply(ct, JobSettings("104-3mm", models_folder))
        timer: controller.tick(); timer.start(controller.wait_interval_ms())

    ``work_folder`` is private to the user; several Slicers may share it. Abandoned folders in it are removed at once.
    """

    def __init__(
        self,
        engine: EngineEnvironment,
        work_folder: Path,
        listener: JobListener,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work_folder = work_folder
        self._removal = FolderRemoval(clock)
        self._manager = WorkerManager(engine, work_folder, self._removal, clock)
        self._flow = JobFlow(work_folder, self._manager, self._removal, listener, clock)
        self._is_closed = False
        sweep(work_folder)

    @property
    def state(self) -> JobState:
        return self._flow.state

    def apply(self, ct: CtSource, settings: JobSettings) -> None:
        """Begin a job. Raises JobBusyError while another one runs; every other failure comes by ``on_failed``."""
        self._require_idle()
        self._flow.begin(ct, settings)

    def cancel(self) -> None:
        """End the job; ``on_cancelled`` follows at once or within 2 s. Nothing happens when no job runs."""
        self._flow.cancel()

    def tick(self) -> None:
        """Do what is to be done now, at most about 20 ms of it."""
        if self._is_closed:
            return
        self._manager.step()
        self._removal.step()
        self._flow.step()

    def wait_interval_ms(self) -> int:
        """How soon ``tick`` wants to be called again."""
        if self.state is JobState.IDLE and (self._manager.is_busy or self._removal.is_busy):
            return _CLEARING_MS
        return _INTERVALS_MS[self.state]

    def log_text(self) -> str:
        """The end of the current (or last) worker's log."""
        return self._manager.log_text

    def shutdown(self) -> None:
        """The application quits or the module is reloaded: kill, remove the folders, tell nobody. Results are kept."""
        if self._is_closed:
            return
        self._is_closed = True
        self._manager.shutdown()
        self._flow.close()
        self._removal.finish()

    def unimported_results(self) -> list[ResultHeader]:
        """Results that were finished but neither imported nor declined, for instance because Slicer was closed."""
        return [header for header in waiting_results(self._work_folder) if self._is_on_offer(header.job_id)]

    def receive_result(self, job_id: str) -> None:
        """Receive one of ``unimported_results`` as if its job had just finished. Raises JobBusyError.

        Cancelled or failed, it goes on waiting.
        """
        self._require_idle()
        self._flow.receive(job_id)

    def discard_result(self, job_id: str) -> None:
        """Decline one of ``unimported_results``: its files are removed."""
        self._removal.add(results_folder(self._work_folder) / job_id)

    def _require_idle(self) -> None:
        if self._is_closed or self.state is not JobState.IDLE:
            raise JobBusyError(self.state.value)

    def _is_on_offer(self, job_id: str) -> bool:
        folder = results_folder(self._work_folder) / job_id
        return not self._flow.is_receiving(folder) and folder not in self._removal
