"""Starts the engine when the module is open with a CT, so that the first job begins at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import requests_to_json
from TotalSegmentatorWire.messages.wishes import WarmUpRequest

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.task_runner import ignore
from TotalSegmentatorModuleLib.early_start.free_memory import is_memory_free
from TotalSegmentatorModuleLib.model_choices import check_installed
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.qt_helpers.ui_files import Widgets
from TotalSegmentatorModuleLib.segment.job_types import JobSettings
from TotalSegmentatorModuleLib.segment.session import JobOrder, SegmentationSession
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess

REST_SECONDS = 0.4
"""The engine is told what to load when a choice has not changed for so long."""
PASSING_SECONDS = 0.2
"""It is started when the module has been open for so long: not for somebody who only passes through it."""
_HELLO_MS = 100


class StartingAhead:
    """Starts the ``session``'s engine and tells it what Apply would run. The widgets are those of EarlyStart.ui.

    Never while the module is not shown, a job runs, the user has turned it off, or memory is short. What is loaded goes
    as after a job: when the engine has had nothing to do for 20 minutes, and with Slicer. ``on_ready`` is called when
    the engine answers and can be asked for plans.
    """

    def __init__(
        self,
        session: SegmentationSession,
        ui: Widgets,
        on_ready: Callable[[], None] = ignore,
        clock: Callable[[], float] = time.monotonic,
        has_memory: Callable[[], bool] = is_memory_free,
    ) -> None:
        self._session = session
        self._ui = ui
        self._on_ready = on_ready
        self._clock = clock
        self._has_memory = has_memory
        self._is_shown = False
        self._wanted: JobSettings | None = None
        self._start_due = self._due = 0.0
        self._worker: WorkerProcess | None = None
        """The one that was told what to load, or will be when it has greeted."""
        self._told: JobSettings | None = None
        self._ticker = Ticker(self._tick)
        ui.earlyStartCheckBox.checked = self._is_on
        ui.earlyStartCheckBox.connect("toggled(bool)", self._on_toggled)

    def enter(self) -> None:
        """The module is shown from now on."""
        self._ui.earlyStartCheckBox.checked = self._is_on  # the settings may have been removed
        self._is_shown = True
        self._start_due = self._clock() + PASSING_SECONDS
        self._rest()

    def exit(self) -> None:
        self._is_shown = False
        self._ticker.stop()

    def consider(self, orders: Sequence[JobOrder]) -> None:
        """The first of these is what Apply would start; without one, nothing is started."""
        wanted = orders[0].settings if orders else None
        if wanted != self._wanted:
            self._wanted = wanted
            self._rest()

    def installation_changed(self) -> None:
        """Models or packages were installed or removed: the engine has ended, and what failed before may succeed."""
        self._worker = self._told = None
        self._rest()

    def close(self) -> None:
        self._ticker.dispose()

    # -- inside --------------------------------------------------------------------------------------------------------

    @property
    def _is_on(self) -> bool:
        return not settings.is_on(settings.EARLY_START_OFF)

    def _on_toggled(self, is_on: bool) -> None:
        settings.turn(settings.EARLY_START_OFF, is_on=not is_on)
        self._rest()

    def _rest(self) -> None:
        self._due = self._clock() + REST_SECONDS
        if self._is_shown and self._wanted is not None:
            self._ticker.start()

    def _tick(self) -> int | None:
        if not self._is_shown or self._wanted is None or self._session.is_busy or not self._is_on:
            return None
        left = self._start_due - self._clock()
        if left > 0:
            return int(1000 * left) + 1
        worker = self._started()
        if worker is None:
            return None
        left = self._due - self._clock()
        if left > 0:
            return int(1000 * left) + 1
        if not worker.hello:
            return _HELLO_MS
        if (worker, self._wanted) != (self._worker, self._told):
            self._worker, self._told = worker, self._wanted
            worker.send(_request(self._wanted))
            self._on_ready()
        return None

    def _started(self) -> WorkerProcess | None:
        """The engine that runs, or a new one, if one may be started for this; one that has failed is left alone."""
        manager = self._session.manager
        running = None if manager is None else manager.worker
        if running is not None:
            return running
        if (self._worker is not None and _has_failed(self._worker)) or not self._may_start():
            return None
        try:
            self._worker = self._session.start_engine()
        except OSError as error:  # Apply will say so
            logging.info("The engine was not started early: %s", type(error).__name__)
            return None
        self._told = None  # it has loaded nothing yet
        return self._worker

    def _may_start(self) -> bool:
        try:
            for request in self._wanted.requests:
                check_installed(request.model, self._wanted.models_folder)
        except SegmentationError:  # Apply will install it
            return False
        return self._has_memory()


def _has_failed(worker: WorkerProcess) -> bool:
    """A worker that has ended: not by itself after a time without work, and not because it was told to."""
    return worker.problem is not None and not (worker.bye is not None and worker.bye.reason == "idle")


def _request(wanted: JobSettings) -> WarmUpRequest:
    return WarmUpRequest(
        models_folder=str(wanted.models_folder),
        requests=requests_to_json(wanted.requests),
        device=wanted.device,
        options=wanted.options.to_json(),
    )
