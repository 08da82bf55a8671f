"""The complete sets of packages in the engines folder, each with its ``engine.json``, which is written last."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from TotalSegmentatorSetup.packages.engine_program import EngineProgram
from TotalSegmentatorSetup.packages.python_choice import EnginePython, machine_name
from TotalSegmentatorSetup.support.atomic_folder import OWNER, RECORD, folders_named

PACKAGES = "packages"
_WRAPPER = "python-arm64"
_WRAPPER_TEXT = '#!/bin/sh\nexec /usr/bin/arch -arm64 "{path}" "$@"\n'
_RECORD_VERSION = 1


@dataclass(frozen=True)
class InstalledEngine:
    """What engine.json states of a complete set of packages."""

    folder: Path
    python: str
    variant: str
    """Id of its TorchVariant."""
    python_version: str
    machine: str
    versions: dict[str, str] = field(default_factory=dict)
    device: str = "cpu"
    device_name: str = ""
    gpu_problem: str | None = None
    created: float = 0.0
    """Seconds since 1970."""
    bytes: int = 0
    """On the disk."""

    @property
    def packages(self) -> Path:
        return self.folder / PACKAGES

    @property
    def program(self) -> EngineProgram:
        return EngineProgram(self.python, self.packages)


def read_engine(folder: Path) -> InstalledEngine | None:
    """The complete engine in ``folder``; None where it is not complete, or its Python is not there any more."""
    try:
        data = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if data.pop("record") != _RECORD_VERSION or not (folder / PACKAGES).is_dir():
            return None
        python = data.pop("python")
        engine = InstalledEngine(folder=folder, python=python or sys.executable, **data)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if python is None:
        own = ("{}.{}".format(*sys.version_info[:2]), machine_name(platform.machine()))
        return engine if own == (engine.python_version, engine.machine) else None
    return engine if Path(python).is_file() else None


def write_engine(draft: Path, final: Path, engine: InstalledEngine, python: EnginePython) -> None:
    """Completes ``draft``, which will be renamed to ``final``. Slicer's own Python is recorded as None: its path
    changes with Slicer's version."""
    data = {name: value for name, value in asdict(engine).items() if name != "folder"}
    data |= {"record": _RECORD_VERSION, "python": None if python.is_own else _python_path(draft, final, python)}
    (draft / OWNER).unlink()
    text = json.dumps(data, indent=1)
    with (draft / RECORD).open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())


def _python_path(draft: Path, final: Path, python: EnginePython) -> str:
    """A universal interpreter is started through a script that asks for its native half (not run here)."""
    if not python.is_universal:
        return python.path
    wrapper = draft / _WRAPPER
    wrapper.write_text(_WRAPPER_TEXT.format(path=python.path), encoding="utf-8", newline="\n")
    wrapper.chmod(0o755)
    return str(final / _WRAPPER)


def complete_engines(engines_folder: Path) -> list[InstalledEngine]:
    """Those that this Python, or their own, can run; the newest first."""
    found = [engine for folder in folders_named(engines_folder, "py") if (engine := read_engine(folder)) is not None]
    return sorted(found, key=lambda engine: engine.created, reverse=True)


def newest_engine(engines_folder: Path) -> InstalledEngine | None:
    """Reads one small file for each set of packages."""
    return next(iter(complete_engines(engines_folder)), None)
