"""One run of a program in the background: started, followed through its files, asked to stop, killed."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import CANCEL_FILE, EVENTS_FILE, create_private_folder, remove_folder
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, decode

from TotalSegmentatorModuleLib.background.line_reader import LineReader
from TotalSegmentatorModuleLib.background.process_failures import problem_of_event
from TotalSegmentatorModuleLib.background.process_group import descendants_with_groups, kill_group, start_in_group
from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError, TaskEnd, ignore
from TotalSegmentatorModuleLib.texts.errors import problem_texts

_OUTPUT, _MESSAGES = "output", "messages"
_MOST_OUTPUT = 4 << 20  # bytes; more is no answer of ours
_LARGEST_LOG = 1 << 20  # bytes; a larger one is begun anew
_PRINTED_PROBLEM = re.compile(r"^error ([A-Z0-9_]+): (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Failure:
    """Why a run failed, as it is shown: a code, what happened, what to do."""

    code: str
    what: str
    todo: str
    problem: Problem | None = None
    """None where a program printed its failure only."""


@dataclass(frozen=True)
class ProcessResult:
    """How a run ended: as asked, cancelled or with a failure."""

    output: str = ""
    """What it printed."""
    messages: str = ""
    """What it printed as errors, and wrote to its log in this run."""
    is_cancelled: bool = False
    failure: Failure | None = None
    finished: Any = None
    """The event by which it reports that it has finished; None for a program that reports none."""

    @property
    def is_success(self) -> bool:
        return not self.is_cancelled and self.failure is None


@dataclass(frozen=True)
class ProcessProtocol:
    """What a program says: its events, the one that ends a run well, and the code of a death without a word."""

    events: Mapping[str, type]
    finished: type
    died: str


def failure_of(problem: Problem) -> Failure:
    return Failure(problem.code, *problem_texts(problem), problem)


def process_result(end: TaskEnd) -> ProcessResult:
    """How a task ended that returns a ProcessResult, also where it came to no process or not to its end."""
    if end.problem is not None:
        return ProcessResult(failure=failure_of(end.problem))
    return ProcessResult(is_cancelled=True) if end.is_cancelled else end.result


class OneShotProcess:
    """A running command; ``follow`` is the task that goes along with it, and must be run.

    ``folder`` is the run's own and goes when that task has ended. With a ``log`` the program is told where to write
    events and log and where a request to stop would lie; without one it only prints. Raises OSError when made, if it
    cannot be started; the folder is gone then, too.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path,
        protocol: ProcessProtocol,
        log: Path | None = None,
    ) -> None:
        self._protocol = protocol
        self._kill_at: float | None = None
        self._reported_end: Any = None
        self._folder = folder
        self._log = log
        self._log_begin = 0
        self._events = LineReader(folder / EVENTS_FILE)
        try:
            self._process = self._start(command, environment)
        except OSError:
            remove_folder(folder)
            raise

    def _start(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen:
        arguments = list(command)
        if self._log is not None:
            self._log_begin = _begin_log(self._log)
            files = ("--events", self._folder / EVENTS_FILE), ("--cancel-file", self._cancel_file), ("--log", self._log)
            arguments += [str(word) for pair in files for word in pair]
        with (self._folder / _OUTPUT).open("wb") as output, (self._folder / _MESSAGES).open("wb") as messages:
            return start_in_group(
                arguments,
                env=dict(environment),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=messages,
            )

    @property
    def _cancel_file(self) -> Path:
        return self._folder / CANCEL_FILE

    @property
    def is_cancelling(self) -> bool:
        """Whether it was asked to stop, though it may have finished all the same."""
        return self._kill_at is not None

    def follow(
        self,
        interval_ms: int,
        cancel_seconds: float,
        quit_seconds: float,
        on_event: Callable[[Any], None] = ignore,
    ) -> Generator[int, None, ProcessResult]:
        """A task (see task_runner) that ends with the process; ``on_event`` gets its events.

        Cancelled, it asks the process to stop and kills it after ``cancel_seconds``; where the task itself is ended,
        after ``quit_seconds``.
        """
        try:
            while True:
                status = self._process.poll()  # before reading: nothing that was written last is missed
                self._read_events(on_event)
                if status is not None:
                    return self._result(status)
                if self._kill_at is not None and time.monotonic() >= self._kill_at:
                    self._kill()
                try:
                    yield interval_ms
                except TaskCancelledError:
                    self._ask_to_stop(cancel_seconds)
        finally:
            if self._process.poll() is None:
                self._stop(quit_seconds)
            remove_folder(self._folder)

    def _read_events(self, on_event: Callable[[Any], None]) -> None:
        for line in self._events.poll():
            try:
                event = decode(line, self._protocol.events)
            except SegmentationError:  # of a newer program: what counts is how it ends
                continue
            if isinstance(event, (FailedEvent, CancelledEvent, self._protocol.finished)):
                self._reported_end = event
            else:
                on_event(event)

    def _ask_to_stop(self, seconds: float) -> None:
        """After ``seconds`` it is killed."""
        if self._kill_at is None:
            with contextlib.suppress(OSError):  # a full disk: the kill comes all the same
                self._cancel_file.touch()
            self._kill_at = time.monotonic() + seconds

    def _stop(self, seconds: float) -> None:
        """The application quits: ask, wait so long, kill."""
        self._ask_to_stop(seconds)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        if self._process.poll() is None:
            self._kill()
            with contextlib.suppress(subprocess.TimeoutExpired):  # the system keeps it: its folder is swept later
                self._process.wait(1.0)

    def _kill(self) -> None:
        """End it and everything that it started, at once; the packages' installer has a group of its own."""
        kill_group(self._process, descendants_with_groups(self._process.pid))

    def _result(self, status: int) -> ProcessResult:
        output, messages = self._read(_OUTPUT), self._read(_MESSAGES)
        said = messages + (_read(self._log, self._log_begin) if self._log is not None else "")
        last = self._reported_end
        if isinstance(last, self._protocol.finished) or (status == 0 and last is None):
            return ProcessResult(output, said, finished=last)
        if isinstance(last, FailedEvent):
            return ProcessResult(output, said, failure=failure_of(problem_of_event(last)))
        if isinstance(last, CancelledEvent) or self.is_cancelling:
            return ProcessResult(output, said, is_cancelled=True)
        return ProcessResult(output, said, failure=self._unsaid_failure(status, messages))

    def _unsaid_failure(self, status: int, messages: str) -> Failure:
        """For a command without events that printed its problem, and for a process that died."""
        printed = _PRINTED_PROBLEM.search(messages)
        if printed:
            return Failure(printed.group(1), printed.group(2), "")
        return failure_of(Problem(self._protocol.died, {"status": status}))

    def _read(self, name: str) -> str:
        return _read(self._folder / name)


def _read(path: Path, begin: int = 0) -> str:
    """The text of a file from byte ``begin`` on; empty where there is no such file."""
    try:
        with path.open("rb") as stream:
            stream.seek(begin)
            return stream.read(_MOST_OUTPUT).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _begin_log(log: Path) -> int:
    """Where this run's lines begin in the log, in bytes."""
    if not log.parent.is_dir():
        create_private_folder(log.parent.parent, log.parent.name)
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGEST_LOG:
        os.truncate(log, 0)
        return 0
    return size
