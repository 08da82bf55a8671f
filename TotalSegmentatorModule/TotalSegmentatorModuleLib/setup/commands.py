"""The set-up as a program: its commands, with the choices of the settings, and a task that runs one of them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TotalSegmentatorSetup.network.access import PROXY_VARIABLE
from TotalSegmentatorSetup.packages.engine_program import PACKAGES_VARIABLE
from TotalSegmentatorWire.job_folder import create_owned_folder, jobs_folder, new_id
from TotalSegmentatorWire.messages.setup import SETUP_EVENTS, SetupFinishedEvent
from TotalSegmentatorWire.resources import ENGINE_PROGRAM

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.command_process import OneShotProcess, ProcessProtocol, ProcessResult
from TotalSegmentatorModuleLib.background.installed_engine import startup_environment
from TotalSegmentatorModuleLib.background.task_runner import ignore

LOG_FILE = "setup.log"
CANCEL_SECONDS = 5.0
"""After Cancel: an unpacking or a package that is just being written may take as long."""
QUIT_SECONDS = 2.0
"""When the application quits while something is changed."""
_INTERVAL_MS = 100
_PROTOCOL = ProcessProtocol(SETUP_EVENTS, SetupFinishedEvent, "SETUP_DIED")


@dataclass(frozen=True)
class SetupProgram:
    """``python`` runs ``program``, which needs no packages; ``environment`` is what it inherits."""

    python: str
    environment: dict[str, str]
    program: Path = field(default=ENGINE_PROGRAM)

    def process_environment(self) -> dict[str, str]:
        """The proxy's address goes here: it may hold a password, and command lines can be read by everyone."""
        proxy = settings.text(settings.PROXY)
        chosen = {PROXY_VARIABLE: proxy} if proxy else {}
        packages = settings.engine_packages_folder()
        if packages is not None:  # then no others are to be installed
            chosen[PACKAGES_VARIABLE] = str(packages)
        return self.environment | chosen | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class SetupCommand:
    """Arguments of one run. ``has_events``: whether it reports its progress and can be cancelled."""

    arguments: tuple[str, ...]
    has_events: bool


def show_command(models: Sequence[str], is_repair: bool = False) -> SetupCommand:
    """What an installation would do, as JSON."""
    return SetupCommand((*_setup(models, is_repair), "--show", "--json"), has_events=False)


def install_command(models: Sequence[str], is_repair: bool = False) -> SetupCommand:
    """Install the engine's packages and ``models`` that are missing; a repair reinstalls the packages."""
    return SetupCommand(_setup(models, is_repair), has_events=True)


def add_model_command(path: str, voxel_order: str = "") -> SetupCommand:
    """A model from an archive or an unpacked folder; ``voxel_order`` is that of its training images, if known."""
    order = _given((("--orientation", voxel_order),))
    return SetupCommand(("models", "add", path, *order, *_network(), *_folders()), has_events=True)


def remove_command(with_models: bool = True, own_models: Sequence[str] = ()) -> SetupCommand:
    """The engine's packages; ``with_models`` the models of the catalogue; of the user's own those that are named."""
    models = ("--with-models",) if with_models else ()
    own = _given([("--with-own-model", name) for name in own_models])
    return SetupCommand(("remove", *models, *own, *_folders()), has_events=False)


def remove_models_command(models: Sequence[str]) -> SetupCommand:
    """Only models: ids of the catalogue, folder names of the user's own."""
    return SetupCommand(("models", "remove", *models, *_folders()), has_events=False)


def doctor_command(model: str = "") -> SetupCommand:
    """Problems of the installation and of ``model`` in use (id or folder), as JSON."""
    return SetupCommand(
        ("doctor", "--json", *_given((("--model", model),)), *_network(), *_folders()), has_events=False
    )


def log_path() -> Path:
    """The log of all set-up runs."""
    return settings.work_folder() / LOG_FILE


def _setup(models: Sequence[str], is_repair: bool) -> tuple[str, ...]:
    chosen = (("--models", ",".join(models)),) if models else ()
    texts = (
        *chosen,
        ("--torch-variant", settings.text(settings.TORCH_VARIANT)),
        ("--index-url", settings.text(settings.INDEX_URL)),
        ("--extra-index-url", settings.text(settings.EXTRA_INDEX_URL)),
        ("--from-folder", settings.text(settings.OFFLINE_FOLDER)),
    )
    repair = ("--repair",) if is_repair else ()
    return ("setup", *_given(texts), *repair, *_network(), *_folders())


def _network() -> tuple[str, ...]:
    return _given((("--certificate-file", settings.text(settings.CERTIFICATE_FILE)),))


def _folders() -> tuple[str, ...]:
    return (
        "--engines-folder",
        str(settings.engines_folder()),
        "--models-folder",
        str(settings.models_folder()),
    )


def _given(pairs: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(word for name, value in pairs if value for word in (name, value))


def setup_program() -> SetupProgram:
    """The set-up runs in Slicer's own Python, as it needs no packages."""
    return SetupProgram(sys.executable, startup_environment())


def run_setup(
    command: SetupCommand, on_event: Callable[[Any], None] = ignore, quit_seconds: float = 0.0
) -> Generator[int, None, ProcessResult]:
    """A task (see task_runner) that runs ``command``; ``on_event`` gets progress and warnings.

    ``quit_seconds``: how long the command may go on when nobody waits for its end any more. Raises OSError if it
    cannot be started.
    """
    program = setup_program()
    process = OneShotProcess(
        [program.python, str(program.program), *command.arguments],
        program.process_environment(),
        create_owned_folder(jobs_folder(settings.work_folder()), new_id()),
        _PROTOCOL,
        log_path() if command.has_events else None,
    )
    return (yield from process.follow(_INTERVAL_MS, CANCEL_SECONDS, quit_seconds, on_event))
