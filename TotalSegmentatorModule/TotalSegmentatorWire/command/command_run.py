"""One run of a command that takes a while: its events, its log, and how it ends when somebody stops it."""

from __future__ import annotations

import argparse
import logging
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.command.log_text import LogFormatter, warnings_to_log
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.segment import CancelledEvent, FailedEvent, encode

_log = logging.getLogger(__name__)

_OWN_WORDS = frozenset(["format", "host", "kind", "option", "package", "platform", "purpose", "runtime", "suffixes"])
"""Values of problems that are always this program's own words; anything else may be what somebody typed."""

_TYPED_DETAILS = frozenset(["TEMPLATE_INVALID", "EXPORT_NAME_INVALID"])
"""Problems whose ``detail`` quotes what somebody typed; that of the others does not."""

_SAME_SIGNAL_SECONDS = 1.0


@dataclass(frozen=True)
class RunFiles:
    """The files by which another program follows a run and stops it."""

    events: Path | None = None
    """Progress, warnings and the end are appended, one event as JSON a line."""
    cancel_file: Path | None = None
    """The run ends when it appears."""
    log: Path | None = None


def add_run_files(command: argparse.ArgumentParser) -> None:
    """The options that become RunFiles."""
    group = command.add_argument_group("log, and control by other programs")
    group.add_argument("--events", type=Path, metavar="FILE", help="append the progress to this file as JSON lines")
    group.add_argument("--cancel-file", type=Path, metavar="FILE", help="stop as soon as this file exists")
    group.add_argument("--log", type=Path, metavar="FILE", help="append a log to this file; it holds no patient data")


class CommandRun:
    """``problem_of`` makes a problem of every exception but a SegmentationError; ``cancelled`` is the code of a run
    that was stopped by a signal."""

    def __init__(
        self,
        job: str,
        files: RunFiles,
        terminal: Terminal,
        problem_of: Callable[[BaseException], Problem],
        cancelled: str = "CANCELLED",
    ) -> None:
        self._job = job
        self._files = files
        self._takes_events = files.events is not None
        self._terminal = terminal
        self._problem_of = problem_of
        self._cancelled = cancelled
        self.is_interrupted = False
        self._interrupted_at = 0.0

    def run(self, work: Callable[[], Any]) -> int:
        """``work`` returns the last event. Returns the exit status; every problem was printed, logged and emitted."""
        handler = open_log(self._files.log)
        previous = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with warnings_to_log():
                last = work()
            self._terminal.close_line()
            self.emit(last)
            return 0
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last boundary: a code for everything
            return self._fail(self._problem(error))
        finally:
            for number, action in previous.items():
                signal.signal(number, action)
            logging.getLogger().removeHandler(handler)
            handler.close()

    def is_cancelled(self) -> bool:
        """By a signal or by the cancel file."""
        cancel_file = self._files.cancel_file
        return self.is_interrupted or (cancel_file is not None and cancel_file.exists())

    def emit(self, event: Any) -> None:
        """The event goes to the file, if one was asked for, and in short to the terminal."""
        if self._takes_events:
            try:
                with self._files.events.open("a", encoding="ascii", newline="\n") as stream:
                    stream.write(encode(event) + "\n")
            except OSError as error:
                self._takes_events = False  # the failure that follows is not written again
                raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
        self._terminal.show(event)

    def _interrupt(self, signal_number: int, frame: object) -> None:
        """Ctrl+C and SIGTERM: temporary files are removed on the way out. A library that turns the exception into one
        of its own, or swallows it, does not change how the command ends."""
        if self.is_interrupted and time.monotonic() - self._interrupted_at < _SAME_SIGNAL_SECONDS:
            return  # the terminal and a parent process may both send it, and the first is being answered
        self.is_interrupted, self._interrupted_at = True, time.monotonic()
        raise KeyboardInterrupt

    def _problem(self, error: BaseException) -> Problem:
        if self.is_interrupted or isinstance(error, KeyboardInterrupt):
            return Problem(self._cancelled)
        return error.problem if isinstance(error, SegmentationError) else self._problem_of(error)

    def _fail(self, problem: Problem) -> int:
        self._terminal.show_problem(problem)
        _log.error("%s: %s", problem.code, sentence_without_text(problem))
        is_cancelled = problem.code == self._cancelled
        try:
            self.emit(CancelledEvent(self._job) if is_cancelled else FailedEvent(self._job, problem.to_json()))
        except SegmentationError:
            _log.error("the last event could not be written")
        return problem.exit_code


def sentence_without_text(problem: Problem) -> str:
    """What happened, as ``without_text`` has it."""
    return without_text(problem).what


def without_text(problem: Problem) -> Problem:
    """``problem`` with ``<text>`` for all that somebody may have typed: a name or label can be a patient's."""

    def is_own(name: str) -> bool:
        return name in _OWN_WORDS or (name == "detail" and problem.code not in _TYPED_DETAILS)

    shown = {
        name: value if isinstance(value, (int, float)) or is_own(name) else "<text>"
        for name, value in problem.values.items()
    }
    return Problem(problem.code, shown)


def open_log(path: Path | None) -> logging.Handler:
    """Sends this process's log to ``path`` or, where there is none, nowhere: the terminal shows what matters.

    Raises SegmentationError("OUTPUT_NOT_WRITABLE").
    """
    handler: logging.Handler = logging.NullHandler()
    if path is not None:
        try:
            handler = logging.FileHandler(path, encoding="utf-8")
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error
    handler.setFormatter(LogFormatter())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    return handler
