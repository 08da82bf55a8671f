"""The set-up's commands. They are part of the engine's command line and run before any package is installed."""

from __future__ import annotations

import errno
import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Any

from TotalSegmentatorWire.command.command_run import CommandRun
from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.disk_space import disk_full, is_disk_full
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.setup import SETUP_JOB, SetupFinishedEvent
from TotalSegmentatorWire.tables.catalogue import licensed_tasks
from TotalSegmentatorWire.tables.published_rules import LicensedTask

from TotalSegmentatorSetup.cli.arguments import SetupOptions
from TotalSegmentatorSetup.cli.doctor import examine
from TotalSegmentatorSetup.cli.printed_pages import models_page, plan_page, warning_line
from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.make_offline_bundle import make_bundle
from TotalSegmentatorSetup.install.removal import remove_installation
from TotalSegmentatorSetup.support.progress import SetupReporter

_log = logging.getLogger(__name__)


def run(options: SetupOptions) -> int:
    """Runs one command; returns the exit status. Raises SegmentationError where nothing was begun."""
    at_once: dict[str, Callable[[SetupOptions], int]] = {
        "models list": _list_models,
        "models remove": _remove_models,
        "remove": _remove_all,
        "doctor": _doctor,
    }
    if options.command == "setup" and options.show:
        return _show(options)
    if options.command in at_once:
        return at_once[options.command](options)
    with_progress: dict[str, Callable[[SetupRun], Any]] = {
        "setup": lambda job: job.installation.install(),
        "models install": lambda job: job.installation.install_models(),
        "models add": lambda job: print(job.installation.models.add(options.path, options.orientation)),
        "models verify": lambda job: [job.installation.models.verify(model) for model in options.install.models],
        "make-offline-bundle": lambda job: make_bundle(job.installation, job.reporter, options.output),
    }
    return SetupRun(options).run(with_progress[options.command])


def _show(options: SetupOptions) -> int:
    plan = Installation(options.install).plan()
    print(json.dumps(plan, indent=1) if options.json else plan_page(plan))
    return 0


def _list_models(options: SetupOptions) -> int:
    models = Installation(options.install).models
    states = models.states()
    if options.json:
        listed = [{**state.to_json(), "needs_licence": False} for state in states]
        listed += [_licensed(task) for task in licensed_tasks().values()]
        print(json.dumps(listed, indent=1))
    else:
        print(models_page(states, models.own_models()))
    return 0


def _licensed(task: LicensedTask) -> dict[str, Any]:
    """A task that is not downloaded, with the keys of all models for which there is something to say."""
    return {
        "id": task.id,
        "needs_licence": True,
        "is_installed": False,
        "download_bytes": None,
        "datasets": list(task.dataset_ids),
        "structures": list(task.structures),
    }


def _remove_models(options: SetupOptions) -> int:
    for model in options.install.models:
        for problem in Installation(options.install).models.remove(model, options.forget_digest):
            print(warning_line(problem), file=sys.stderr)
    return 0


def _remove_all(options: SetupOptions) -> int:
    remove_installation(Installation(options.install), options.with_models, options.own_models)
    return 0


def _doctor(options: SetupOptions) -> int:
    report = examine(options.install, options.ask_servers, options.model)
    print(json.dumps(report.to_json(), indent=1) if options.json else "\n".join(report.lines))
    return 0 if report.state == "ready" else 1


class SetupRun:
    """One command that takes a while: its progress goes to the terminal and into the events, and it can be stopped."""

    def __init__(self, options: SetupOptions) -> None:
        self._models_folder = options.install.models_folder
        self._run = CommandRun(SETUP_JOB, options.files, Terminal(), self._problem_of, SetupReporter.CANCELLED)
        self.reporter = SetupReporter(self._run.emit, self._run.is_cancelled)
        self.installation = Installation(options.install, self.reporter)

    def run(self, work: Callable[[SetupRun], Any]) -> int:
        """Returns the exit status; every problem has been printed, logged and emitted."""
        started = time.monotonic()

        def all_of_it() -> SetupFinishedEvent:
            _log.info("set-up with Python %s", sys.version.split()[0])
            work(self)
            return SetupFinishedEvent(round(time.monotonic() - started, 1))

        return self._run.run(all_of_it)

    def _problem_of(self, error: BaseException) -> Problem:
        if is_disk_full(error):
            return disk_full(self._models_folder).problem
        if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            return Problem("FOLDER_NOT_WRITABLE", {"purpose": "the installation"})
        _log.error("unexpected error", exc_info=error)
        return Problem("INTERNAL_ERROR", {"kind": type(error).__name__})
