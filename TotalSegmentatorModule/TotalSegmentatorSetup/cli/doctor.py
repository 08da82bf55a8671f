"""Says in plain words what is wrong with an installation and what to do about it. Changes nothing.

What it says can be sent to somebody else: no names of users, patients or folders are in it.
"""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.disk_space import existing_parent, require_space
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.catalogue import read_catalogue

from TotalSegmentatorSetup.cli.printed_pages import size_text
from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.network.access import NetworkSettings, open_url, problem_of
from TotalSegmentatorSetup.support.folders import require_writable

READY, ENGINE_MISSING, ENGINE_BROKEN, MODEL_MISSING, MODEL_DAMAGED, SYSTEM = (
    "ready",
    "engine_missing",
    "engine_broken",
    "model_missing",
    "model_damaged",
    "system",
)
"""States of an installation, the first that holds: SYSTEM is a folder, the clock or the disk."""

_LEAST_FREE_BYTES = 2 * 1000**3
"""Below it a job or an installation may end early: results, temporary files, package downloads."""
_EARLIEST_YEAR = 2026
"""A clock that shows an earlier year is wrong: this product did not exist."""


@dataclass
class Report:
    """``lines`` are sentences for the user, the most urgent ones first where something is wrong."""

    state: str = READY
    lines: list[str] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    """Problem.to_json() of each."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def blame(self, state: str, problem: Problem) -> None:
        if self.state == READY:
            self.state = state
        self.problems.append(problem.to_json())
        self.lines.append(f"{problem.code}: {problem.what} {problem.todo}")


def examine(options: InstallOptions, asks_servers: bool = False) -> Report:
    """Looks at computer, engine and models, and where the packages and models come from if ``asks_servers``."""
    report = Report()
    report.say(
        f"TotalSegmentatorModule {ENGINE_VERSION}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}."
    )
    _examine_system(options, report)
    installation = Installation(options)
    _examine_engine(installation, report)
    _examine_models(installation, report)
    if asks_servers:
        _examine_network(options.network, report)
    if report.state == READY:
        report.say("Everything is in place.")
    return report


def _examine_system(options: InstallOptions, report: Report) -> None:
    if time.gmtime().tm_year < _EARLIEST_YEAR:
        date = time.strftime("%Y-%m-%d", time.gmtime())
        report.blame(SYSTEM, Problem("CLOCK_WRONG", {"host": "any server", "date": date}))
    for folder, purpose in ((options.engines_folder, "the engine"), (options.models_folder, "the models")):
        try:
            require_writable(existing_parent(folder), purpose)
        except SegmentationError as error:
            report.blame(SYSTEM, error.problem)
        try:
            require_space(folder, _LEAST_FREE_BYTES)
        except SegmentationError as error:
            report.blame(SYSTEM, error.problem)


def _examine_engine(installation: Installation, report: Report) -> None:
    program = installation.engine_program()
    if program is None:
        report.blame(ENGINE_MISSING, Problem("ENGINE_MISSING", {"package": "torch"}))
        return
    newest = installation.packages.newest()
    where = "its own packages" if newest is not None else "the packages of this Python"
    try:
        answer = program.ask(["test-engine", "--device", "auto"])
    except SegmentationError as error:
        report.blame(ENGINE_BROKEN, error.problem)
        return
    versions = ", ".join(f"{name} {version}" for name, version in sorted(answer["versions"].items()))
    report.say(f"The engine uses {where} and runs on: {answer['device_name'] or answer['device']} ({versions}).")
    if answer.get("gpu_problem"):
        report.say(f"The GPU is not used: {answer['gpu_problem']}.")
    if newest is not None and installation.is_outdated(newest):
        report.say("The packages do not match this version of the module. Click Update, or run 'setup --repair'.")
    for engine in installation.packages.all():
        if newest is not None and engine.folder != newest.folder:
            report.say(f"An older set of packages is still installed ({size_text(engine.bytes)}).")


def _examine_models(installation: Installation, report: Report) -> None:
    states = [state for state in installation.models.states() if state.is_installed]
    if not states:
        known = next(iter(read_catalogue()))
        report.blame(MODEL_MISSING, Problem("MODEL_MISSING", {"model": known}))
    for state in states:
        try:
            installation.models.verify(state.id)
            report.say(f"The model {state.id} is complete ({size_text(state.disk_bytes)}).")
        except SegmentationError as error:
            report.blame(MODEL_DAMAGED, error.problem)


def _examine_network(network: NetworkSettings, report: Report) -> None:
    parts = [part for model in read_catalogue().values() for part in model.parts]
    hosts = {urlsplit(url).hostname for part in parts for url in part.urls}
    for host in sorted(hosts):
        url = "https://{}/".format(host)
        try:
            with open_url(url, network, timeout=15.0) as response:
                report.say(f"The server {host} answers (status {response.status}).")
        except Exception as error:  # noqa: BLE001 - whatever the network does, it is classified
            problem = problem_of(error, host, "").problem
            report.say(f"{problem.code}: {problem.what} {problem.todo}")
