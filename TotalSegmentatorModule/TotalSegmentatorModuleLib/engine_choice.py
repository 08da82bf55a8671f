"""Which engine this Slicer runs: its own Python, its clean environment, the folders of the settings."""

from __future__ import annotations

import os
import sys

import slicer

from . import settings
from .engine_environment import EngineEnvironment
from .job_controller import JobController
from .job_types import JobListener


def engine_environment() -> EngineEnvironment:
    """In Slicer ``sys.executable`` is PythonSlicer, which adds what it needs to the environment that it starts in."""
    return EngineEnvironment(sys.executable, _startup_environment(), settings.engine_packages_folder())


def make_controller(listener: JobListener) -> JobController:
    return JobController(engine_environment(), settings.work_folder(), listener)


def _startup_environment() -> dict[str, str]:
    """The environment that Slicer was started in, without what its launcher added."""
    if hasattr(slicer.app, "startupEnvironment"):
        return slicer.util.startupEnvironment()
    return dict(os.environ)
