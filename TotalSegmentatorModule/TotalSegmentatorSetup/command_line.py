"""The set-up's commands. They are part of the engine's command line and run before any package is installed."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

from TotalSegmentatorWire.errors import Problem, SegmentationError
from TotalSegmentatorWire.log_text import LogFormatter
from TotalSegmentatorWire.messages import CancelledEvent, FailedEvent, encode
from TotalSegmentatorWire.setup_messages import SETUP_JOB, SetupFinishedEvent

from .disk_space import free_bytes
from .doctor import examine
from .folders import data_folder
from .installation import Installation
from .offline_bundle import make_bundle
from .reporting import SetupReporter
from .setup_arguments import models_folder_of
from .setup_report import SetupTerminal, models_page, plan_page

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace) -> int:
    """Runs one command; returns the exit status. Raises SegmentationError where nothing was begun."""
    if options.command == "setup":
        return _show(options) if options.show else SetupRun(options).run(lambda job: job.installation.install())
    if options.command == "models":
        return _models(options)
    if options.command == "remove":
        return _remove(options)
    if options.command == "doctor":
        return _doctor(options)
    return SetupRun(options).run(lambda job: make_bundle(job.installation, job.reporter, options.output))


def _show(options: argparse.Namespace) -> int:
    plan = Installation(options).plan()
    print(json.dumps(plan, indent=1) if options.json else plan_page(plan))
    return 0


def _models(options: argparse.Namespace) -> int:
    if options.action == "list":
        states = Installation(options).models.states()
        print(json.dumps([state.to_json() for state in states], indent=1) if options.json else models_page(states))
        return 0
    if options.action == "remove":
        for model in options.models:
            Installation(options).models.remove(model, options.forget_digest)
        return 0
    actions: dict[str, Callable[[SetupRun], Any]] = {
        "install": lambda job: job.installation.install_models(),
        "add": lambda job: print(job.installation.models.add(options.path)),
        "verify": lambda job: [job.installation.models.verify(model) for model in options.models],
    }
    return SetupRun(options).run(actions[options.action])


def _remove(options: argparse.Namespace) -> int:
    installation = Installation(options)
    installation.engines.remove_all()
    if options.with_models:
        installation.models.remove_all()
    folder = data_folder()
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return 0


def _doctor(options: argparse.Namespace) -> int:
    report = examine(options)
    print(json.dumps(report.to_json(), indent=1) if options.json else "\n".join(report.lines))
    return 0 if report.state == "ready" else 1


class SetupRun:
    """One command that takes a while: tells of it on the terminal and in the events, and can be stopped."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._terminal = SetupTerminal()
        self._is_interrupted = False
        self.reporter = SetupReporter(self._emit, self._is_cancelled)
        self.installation = Installation(options, self.reporter)

    def run(self, work: Callable[[SetupRun], Any]) -> int:
        """Returns the exit status; every problem has been printed, logged and emitted."""
        started = time.monotonic()
        handler = _open_log(self._options.log)
        previous = {number: signal.signal(number, self._interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            work(self)
            self._terminal.close_line()
            self._emit(SetupFinishedEvent(round(time.monotonic() - started, 1)))
            return 0
        except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last boundary: see _problem_of
            return self._fail(self._problem_of(error))
        finally:
            for number, action in previous.items():
                signal.signal(number, action)
            logging.getLogger().removeHandler(handler)
            handler.close()

    def _is_cancelled(self) -> bool:
        file = self._options.cancel_file
        return self._is_interrupted or (file is not None and file.exists())

    def _interrupt(self, signal_number: int, frame: object) -> None:
        self._is_interrupted = True
        raise KeyboardInterrupt

    def _problem_of(self, error: BaseException) -> Problem:
        if self._is_interrupted or isinstance(error, KeyboardInterrupt):
            return Problem("SETUP_CANCELLED")
        if isinstance(error, SegmentationError):
            return error.problem
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = free_bytes(models_folder_of(self._options)) or 0
            return Problem("DISK_FULL", {"needed_mb": 0.0, "free_mb": free / 1e6})
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return Problem("FOLDER_NOT_WRITABLE", {"purpose": "the installation"})
        _log.error("unexpected error", exc_info=error)
        return Problem("INTERNAL_ERROR", {"kind": type(error).__name__})

    def _fail(self, problem: Problem) -> int:
        self._terminal.show_problem(problem)
        _log.error("%s: %s", problem.code, problem.what)
        is_cancelled = problem.code == "SETUP_CANCELLED"
        try:
            self._emit(CancelledEvent(SETUP_JOB) if is_cancelled else FailedEvent(SETUP_JOB, problem.to_json()))
        except OSError:
            _log.error("the last event could not be written")
        return problem.exit_code

    def _emit(self, event: Any) -> None:
        if self._options.events is not None:
            with self._options.events.open("a", encoding="ascii", newline="\n") as stream:
                stream.write(encode(event) + "\n")
        self._terminal.show(event)


def _open_log(path: Any) -> logging.Handler:
    """Raises SegmentationError("FOLDER_NOT_WRITABLE")."""
    handler: logging.Handler = logging.NullHandler()
    if path is not None:
        try:
            handler = logging.FileHandler(path, encoding="utf-8")
        except OSError as error:
            raise SegmentationError("FOLDER_NOT_WRITABLE", purpose="the log") from error
    handler.setFormatter(LogFormatter())
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.INFO)
    _log.info("set-up with Python %s", sys.version.split()[0])
    return handler
