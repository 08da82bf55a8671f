"""Which engine this Slicer runs, and with what: the user's own packages, the set-up's, or those of Slicer's Python."""

from __future__ import annotations

import os
import sys

import slicer
from TotalSegmentatorSetup.packages.bootstrap import has_own_packages
from TotalSegmentatorSetup.packages.installed_engine import newest_engine

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment


def engine_environment() -> EngineEnvironment:
    """In Slicer ``sys.executable`` is PythonSlicer, which adds what it needs to the environment that it starts in."""
    chosen = settings.engine_packages_folder()
    installed = newest_engine(settings.engines_folder()) if chosen is None else None
    if installed is not None:
        program = installed.program
        return EngineEnvironment(program.python, startup_environment(), program.packages_folder)
    return EngineEnvironment(sys.executable, startup_environment(), chosen)


def has_engine() -> bool:
    """Whether there are packages to try; a few files are looked at, nothing is imported."""
    if settings.engine_packages_folder() is not None or newest_engine(settings.engines_folder()) is not None:
        return True
    return has_own_packages()


def startup_environment() -> dict[str, str]:
    """The environment that Slicer was started in, without what its launcher added."""
    if hasattr(slicer.app, "startupEnvironment"):
        return slicer.util.startupEnvironment()
    return dict(os.environ)
