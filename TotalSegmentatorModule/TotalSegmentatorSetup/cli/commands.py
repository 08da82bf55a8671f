"""The set-up's commands. They are part of the engine's command line and run before any package is installed."""

from __future__ import annotations

import argparse
import errno
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from TotalSegmentatorWire.command.command_run import CommandRun, run_files_of
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.setup import SETUP_JOB, SetupFinishedEvent

from TotalSegmentatorSetup.cli.doctor import examine
from TotalSegmentatorSetup.cli.pages import models_page, plan_page
from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.make_offline_bundle import make_bundle
from TotalSegmentatorSetup.install.options import models_folder_of
from TotalSegmentatorSetup.support.disk_space import free_bytes
from TotalSegmentatorSetup.support.folders import data_folder
from TotalSegmentatorSetup.support.progress import SetupReporter

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
        self._run = CommandRun(SETUP_JOB, run_files_of(options), Terminal(), self._problem_of, "SETUP_CANCELLED")
        self.reporter = SetupReporter(self._run.emit, self._run.is_cancelled)
        self.installation = Installation(options, self.reporter)

    def run(self, work: Callable[[SetupRun], Any]) -> int:
        """Returns the exit status; every problem has been printed, logged and emitted."""
        started = time.monotonic()

        def all_of_it() -> SetupFinishedEvent:
            _log.info("set-up with Python %s", sys.version.split()[0])
            work(self)
            return SetupFinishedEvent(round(time.monotonic() - started, 1))

        return self._run.run(all_of_it)

    def _problem_of(self, error: BaseException) -> Problem:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = free_bytes(models_folder_of(self._options)) or 0
            return Problem("DISK_FULL", {"needed_mb": 0.0, "free_mb": free / 1e6})
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return Problem("FOLDER_NOT_WRITABLE", {"purpose": "the installation"})
        _log.error("unexpected error", exc_info=error)
        return Problem("INTERNAL_ERROR", {"kind": type(error).__name__})
