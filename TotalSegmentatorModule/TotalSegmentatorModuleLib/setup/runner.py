"""Runs the set-up's commands in the background, one at a time, from Qt's event loop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.messages.setup import SETUP_EVENTS, SetupFinishedEvent

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import (
    OneShotProcess,
    ProcessProtocol,
    ProcessResult,
    failure_of,
)
from TotalSegmentatorModuleLib.background.process_failures import problem_of_os_error
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker
from TotalSegmentatorModuleLib.setup import commands
from TotalSegmentatorModuleLib.setup.commands import SetupCommand, SetupProgram, log_path

CANCEL_SECONDS = 5.0
"""After Cancel: an unpacking or a package that is just being written may take as long."""
QUIT_SECONDS = 2.0
_INTERVAL_MS = 100


class SetupRunner:
    """``start`` returns at once; ``on_event`` gets progress and warnings, ``on_end`` the end. Both come from the event
    loop, or from ``start`` itself where the program cannot be started."""

    def __init__(self) -> None:
        self._ticker = Ticker(self._tick)
        self._process: OneShotProcess | None = None
        self._on_event: Callable[[Any], None] = _ignore
        self._on_end: Callable[[ProcessResult], None] = _ignore

    @property
    def is_busy(self) -> bool:
        return self._process is not None

    def start(
        self,
        command: SetupCommand,
        on_end: Callable[[ProcessResult], None],
        on_event: Callable[[Any], None] | None = None,
    ) -> None:
        """Only while not busy."""
        if self._process is not None:
            raise RuntimeError("a command of the set-up runs already")
        self._on_event, self._on_end = on_event or _ignore, on_end
        try:
            self._process = start_setup(commands.setup_program(), command, settings.work_folder(), log_path())
        except OSError as error:
            on_end(ProcessResult(failure=failure_of(problem_of_os_error(error, settings.work_folder()))))
            return
        self._ticker.start()

    def cancel(self) -> None:
        """Ask the command to stop; its end is told."""
        if self._process is not None:
            self._process.cancel(CANCEL_SECONDS)

    def drop(self) -> None:
        """End a command that only answers a question, at once; nobody hears of it."""
        self.shutdown(0.0)

    def shutdown(self, wait_seconds: float = QUIT_SECONDS) -> None:
        """End the command, waiting for it at most ``wait_seconds`` seconds; nobody hears of it."""
        process, self._process = self._process, None
        self._ticker.stop()
        if process is not None:
            process.stop(wait_seconds)

    def dispose(self) -> None:
        """Shut down for good."""
        self.shutdown()
        self._ticker.dispose()

    def _tick(self) -> int | None:
        process = self._process
        if process is None:
            return None
        for event in process.poll():
            self._on_event(event)
        if process.end is None:
            return _INTERVAL_MS
        self._process = None
        self._on_end(process.end)
        return None


def _ignore(_told: Any) -> None:
    """For who does not listen."""


_PROTOCOL = ProcessProtocol(SETUP_EVENTS, SetupFinishedEvent, "SETUP_DIED")


def start_setup(program: SetupProgram, command: SetupCommand, work_folder: Path, log: Path) -> OneShotProcess:
    """Run ``command`` in a folder of its own below ``work_folder``. Raises OSError if it cannot be started."""
    return OneShotProcess(
        [program.python, str(program.program), *command.arguments],
        program.process_environment(),
        create_owned_folder(jobs_folder(work_folder), new_id()),
        _PROTOCOL,
        log if command.has_events else None,
    )
