"""Gives a command of the engine its packages: those of this Python, else the newest that were installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from TotalSegmentatorWire.resources import ENGINE_PROGRAM
from TotalSegmentatorWire.user_folders import default_engines_folder

from TotalSegmentatorSetup.packages.engine_program import PACKAGES_VARIABLE
from TotalSegmentatorSetup.packages.python_choice import environment_for

_PACKAGES = ("torch", "nnunetv2", "SimpleITK")
"""Where these are, the others came along."""
_NEED_NO_PACKAGES = ("setup", "models", "remove", "doctor", "make-offline-bundle", "structures")


def use_installed_engine(arguments: Sequence[str]) -> None:
    """Puts the newest installed packages first on ``sys.path``, unless packages were chosen or are there already.

    Where those packages belong to another Python, as on Apple silicon, that one runs the command in place of this.
    Nothing happens where nothing is installed: the command then reports that the engine is missing.
    """
    if os.environ.get(PACKAGES_VARIABLE) or not arguments or arguments[0] in _NEED_NO_PACKAGES or has_own_packages():
        return
    from TotalSegmentatorSetup.packages.package_store import (
        newest_engine,  # only here: the usual start does not pay for it
    )

    newest = newest_engine(default_engines_folder())
    if newest is None or newest.program.packages_folder is None:
        return
    os.environ[PACKAGES_VARIABLE] = str(newest.program.packages_folder)
    if not _is_this_python(newest.program.python):
        run_in_place(newest.program.python, arguments)
    sys.path.insert(0, str(newest.program.packages_folder))


def has_own_packages() -> bool:
    """Whether this Python has the engine's packages among its own; imports none of them."""
    return all(importlib.util.find_spec(name) is not None for name in _PACKAGES)


def has_packages(folder: Path) -> bool:
    """Whether ``folder`` has the engine's packages, at first sight."""
    return all((folder / name / "__init__.py").is_file() for name in _PACKAGES)


def run_in_place(python: str, arguments: Sequence[str]) -> None:
    """Another Python runs the engine with ``arguments``; this process ends with its exit status, and never returns."""
    command = [python, str(ENGINE_PROGRAM), *arguments]
    environment = environment_for(python == sys.executable)
    if os.name == "nt":  # a replaced process would leave its console there
        sys.exit(subprocess.run(command, env=environment, check=False).returncode)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(python, command, environment)


def _is_this_python(python: str) -> bool:
    try:
        return Path(python).resolve() == Path(sys.executable).resolve()
    except OSError:
        return False
