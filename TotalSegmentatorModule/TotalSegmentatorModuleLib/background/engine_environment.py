"""How the worker process is started: its program, its arguments and its environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorSetup.packages.engine_program import PACKAGES_VARIABLE
from TotalSegmentatorWire.messages.segment import PROTOCOL_VERSION
from TotalSegmentatorWire.resources import ENGINE_PROGRAM

DEFAULT_IDLE_SECONDS = 1200.0
"""After so long without work the worker ends by itself and frees the memory of its networks."""


@dataclass(frozen=True)
class EngineEnvironment:
    """The engine as a program.

    ``python`` is the interpreter: in Slicer ``sys.executable``, which is a launcher that starts the real one.
    ``environment`` is what it inherits: in Slicer ``slicer.util.startupEnvironment()``. ``packages_folder`` holds the
    engine's packages where they are not the interpreter's own. ``program`` is the script that answers ``serve``.
    """

    python: str
    environment: dict[str, str]
    packages_folder: Path | None = None
    idle_seconds: float = DEFAULT_IDLE_SECONDS
    program: Path = field(default=ENGINE_PROGRAM)

    def serve_arguments(self, worker_folder: Path) -> list[str]:
        """Command line of a worker whose own folder is ``worker_folder``."""
        return [
            self.python,
            str(self.program),
            "serve",
            "--protocol",
            str(PROTOCOL_VERSION),
            "--worker-folder",
            str(worker_folder),
            "--idle-seconds",
            str(self.idle_seconds),
        ]

    def process_environment(self) -> dict[str, str]:
        """The worker's environment variables."""
        environment = dict(self.environment)
        environment["PYTHONUTF8"] = "1"  # Slicer sets it from 5.12 on
        environment["PYTHONUNBUFFERED"] = "1"
        if self.packages_folder is not None:
            environment[PACKAGES_VARIABLE] = str(self.packages_folder)
        return environment
