"""Says in plain words what is wrong with an installation and what to do about it. Changes nothing.

What it says can be sent to somebody else: no names of users, patients or folders are in it.
"""

from __future__ import annotations

import platform
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TotalSegmentatorWire import ENGINE_VERSION
from TotalSegmentatorWire.command.sizes import size_text
from TotalSegmentatorWire.disk_space import existing_parent, require_space
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.catalogue import check_model_name, read_catalogue, with_needed_models

from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.models.model_store import ModelStore
from TotalSegmentatorSetup.network.access import NetworkSettings, open_url, problem_of
from TotalSegmentatorSetup.support.folders import folder_bytes, require_writable

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


def examine(options: InstallOptions, asks_servers: bool = False, model: str | None = None) -> Report:
    """Looks at computer, engine and models, and where the packages and models come from if ``asks_servers``.

    ``model`` is the one in use: an id of the catalogue, or a model folder; without it any installed one will do. Raises
    SegmentationError("MODEL_UNKNOWN") for a word that is neither.
    """
    report = Report()
    report.say(
        f"TotalSegmentatorModule {ENGINE_VERSION}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}."
    )
    _examine_system(options, report)
    installation = Installation(options)
    _examine_engine(installation, report)
    _examine_models(installation, report, model)
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


def _examine_models(installation: Installation, report: Report, in_use: str | None) -> None:
    models = installation.models
    if in_use is not None:
        _examine_model_in_use(installation, report, in_use)
    own = models.own_models()
    examined = with_needed_models([in_use]) if in_use in read_catalogue() else []
    states = [state for state in models.states() if state.is_installed and state.id not in examined]
    if not states and not own and in_use is None:
        known = next(iter(read_catalogue()))
        report.blame(MODEL_MISSING, Problem("MODEL_MISSING", {"model": known}))
    for state in states:
        _verify(models, report, state.id, f"The model {state.id}", state.disk_bytes)
    for number, (name, count) in enumerate(own.items(), start=1):
        if in_use is None or not _is_in(in_use, models.folder / name):
            _verify(models, report, name, f"The added model {number} of {len(own)}", count)


def _examine_model_in_use(installation: Installation, report: Report, in_use: str) -> None:
    """The name of a folder is not told: it may be anything."""
    models = installation.models
    check_model_name(in_use)
    if in_use in read_catalogue():
        states = {state.id: state for state in models.states()}
        for model in with_needed_models([in_use]):
            title = f"The model in use, {model}," if model == in_use else f"The model {model}, which {in_use} needs,"
            if states[model].is_installed:
                _verify(models, report, model, title, states[model].disk_bytes)
            else:
                report.blame(MODEL_MISSING, Problem("MODEL_MISSING", {"model": model}))
        return
    added = next((name for name in models.own_models() if _is_in(in_use, models.folder / name)), None)
    if added is not None:
        _verify(models, report, added, "The model in use, which was added by the user,", models.own_models()[added])
    elif not Path(in_use).expanduser().is_dir():
        report.blame(MODEL_MISSING, Problem("MODEL_FOLDER_MISSING", {"folder": "..."}))
    else:
        _check_folder(installation, report, Path(in_use).expanduser())


def _verify(models: ModelStore, report: Report, name: str, title: str, count: int) -> None:
    try:
        models.verify(name)
        report.say(f"{title} is complete ({size_text(count)}).")
    except SegmentationError as error:
        report.say(f"{title} has a problem:")
        report.blame(MODEL_DAMAGED, error.problem)


def _check_folder(installation: Installation, report: Report, folder: Path) -> None:
    """A model of the user's own that was chosen where it lies."""
    title = "The model in use, a folder of the user's own,"
    program = installation.engine_program()
    if program is None:
        report.say(f"{title} can be checked only when the engine is installed.")
        return
    try:
        program.ask(["check-model", str(folder)])
        report.say(f"{title} can be used ({size_text(folder_bytes(folder))}).")
    except SegmentationError as error:
        report.say(f"{title} has a problem:")
        report.blame(MODEL_DAMAGED, error.problem)


def _is_in(path: str, folder: Path) -> bool:
    resolved = Path(path).expanduser().resolve()
    return folder.resolve() in (resolved, *resolved.parents)


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
