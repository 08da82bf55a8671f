"""One worker process: started in its own process group, followed through its files, killed with all its children."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import (
    EVENTS_FILE,
    WORKER_LOG,
    create_owned_folder,
    jobs_folder,
    remove_folder,
    worker_folder_name,
)
from TotalSegmentatorWire.messages.segment import (
    EVENTS,
    PROTOCOL_VERSION,
    ByeEvent,
    FailedEvent,
    HelloEvent,
    decode,
    encode,
)

from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment
from TotalSegmentatorModuleLib.background.line_reader import LineReader
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event, problem_of_exit
from TotalSegmentatorModuleLib.background.process_group import kill_group, start_in_group

HELLO_SECONDS = 60.0
"""A worker that has not greeted by then is given up: a cold start under a virus scanner has been seen to take 30 s."""

_LOG_TAIL_CHARACTERS = 200_000


class WorkerProcess:
    """A running worker. ``poll`` reads what it has said; nothing here ever waits.

    Raises OSError when made, if the program cannot be started.
    """

    def __init__(self, engine: EngineEnvironment, work_folder: Path) -> None:
        self.folder = create_owned_folder(jobs_folder(work_folder), worker_folder_name())
        self.hello: HelloEvent | None = None
        self.bye: ByeEvent | None = None
        self.problem: Problem | None = None
        """Why this worker cannot serve, once that is known."""
        self.exit_status: int | None = None
        self._started_at = time.monotonic()
        self._is_killed = False
        self._events = LineReader(self.folder / EVENTS_FILE)
        self._log_lines = LineReader(self.folder / WORKER_LOG)
        self._log_tail = ""
        try:
            self._process = self._start(engine)
        except OSError:
            remove_folder(self.folder)
            raise

    def _start(self, engine: EngineEnvironment) -> subprocess.Popen:
        with (self.folder / WORKER_LOG).open("ab") as log:
            return start_in_group(
                engine.serve_arguments(self.folder),
                env=engine.process_environment(),
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                bufsize=0,
            )

    @property
    def is_running(self) -> bool:
        """False once the process has ended or cannot serve, as of the last poll."""
        return self.exit_status is None and self.problem is None and self.bye is None

    @property
    def log_tail(self) -> str:
        """The end of what the worker has written to its log."""
        return self._log_tail

    def poll(self) -> str:
        """Read events, log and exit status; returns the lines that the log has grown by."""
        self.exit_status = self._process.poll()  # before reading: nothing that was written last is missed
        for line in self._events.poll():
            self._handle(line)
        is_silent = self.hello is None and self.problem is None and self.exit_status is None
        if is_silent and time.monotonic() - self._started_at > HELLO_SECONDS:
            self.problem = Problem("ENGINE_START_FAILED")
        grown = "".join(line.decode("utf-8", "replace") + "\n" for line in self._log_lines.poll())
        self._log_tail = (self._log_tail + grown)[-_LOG_TAIL_CHARACTERS:]
        if self.exit_status is not None and self.problem is None:
            self.problem = problem_of_exit(self.exit_status, self.hello is not None, self._log_tail)
        return grown

    def _handle(self, line: bytes) -> None:
        with contextlib.suppress(ValueError, AttributeError):  # Hello of another version may have other fields
            fields = json.loads(line)
            if fields.get("kind") == HelloEvent.KIND and fields.get("protocol") != PROTOCOL_VERSION:
                self.problem = Problem(
                    "PROTOCOL_MISMATCH", {"expected": PROTOCOL_VERSION, "found": fields.get("protocol")}
                )
                return
        try:
            event = decode(line, EVENTS)
        except SegmentationError as error:
            self._log_tail += "undecodable event of {} bytes: {}\n".format(len(line), error.problem.values)
            return
        if isinstance(event, FailedEvent):
            self.problem = self.problem or problem_of_event(event)
        elif isinstance(event, HelloEvent):
            self.hello = event
        elif isinstance(event, ByeEvent):
            self.bye = event

    def send(self, request: Any) -> bool:
        """Write one request; False when the worker is gone, which the next poll tells."""
        try:
            self._process.stdin.write((encode(request) + "\n").encode("ascii"))
        except OSError:
            return False
        return True

    def kill(self) -> None:
        """End the launcher and everything it started, at once and without waiting.

        Also called when the launcher has ended by itself: what it started may live on in its group.
        """
        if self._is_killed:
            return
        self._is_killed = True
        # on Windows the worker itself is named too, in case its launcher is gone
        kill_group(self._process, [self.hello.pid] if os.name == "nt" and self.hello else [])
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def is_reaped(self) -> bool:
        """True when the process has ended and the system has let go of it."""
        return self._process.poll() is not None
