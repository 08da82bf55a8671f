"""The folders beside each other in the engines folder: complete engines, drafts, and what is on its way out.

A complete engine's folder holds ``engine.json``, written last. A draft (``.tsm-new-...``) names the process that fills
it, so that the drafts of dead processes can be removed; what was renamed to ``.tsm-old-...`` is rubbish of anyone.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

from TotalSegmentatorWire.process_identity import ProcessIdentity, is_alive, this_process

from .engine_program import EngineProgram
from .patience import patiently
from .pip_process import end_orphan
from .python_choice import EnginePython, machine_name

RECORD = "engine.json"
PACKAGES = "packages"
DRAFT, OLD = ".tsm-new-", ".tsm-old-"
_OWNER = "owner.json"
_OURS = re.compile(r"\.tsm-(new|old)-.+-[0-9a-f]{6}")
"""Nothing of another name is ever removed: the folder may be one that the user has chosen for other things, too."""
_WRAPPER = "python-arm64"
_WRAPPER_TEXT = '#!/bin/sh\nexec /usr/bin/arch -arm64 "{path}" "$@"\n'
_RECORD_VERSION = 1


@dataclass(frozen=True)
class InstalledEngine:
    """What engine.json tells of a complete set of packages."""

    folder: Path
    python: str
    flavour: str
    """Id of its Flavour."""
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
    (draft / _OWNER).unlink()
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
    found = [engine for folder in _folders(engines_folder, "py") if (engine := read_engine(folder)) is not None]
    return sorted(found, key=lambda engine: engine.created, reverse=True)


def newest_engine(engines_folder: Path) -> InstalledEngine | None:
    """Reads one small file for each set of packages."""
    return next(iter(complete_engines(engines_folder)), None)


def new_draft(engines_folder: Path, name: str) -> Path:
    """An empty folder of this process with the folders that an installation needs: ``t`` is for temporary files."""
    draft = engines_folder / f"{DRAFT}{name}-{secrets.token_hex(3)}"
    (draft / "t").mkdir(parents=True)
    (draft / _OWNER).write_text(json.dumps(asdict(this_process())), encoding="utf-8")
    return draft


def dead_drafts(engines_folder: Path) -> list[Path]:
    """Drafts of processes that have ended; a folder that names no owner is nobody's draft."""
    drafts = [folder for folder in _folders(engines_folder, DRAFT) if _OURS.fullmatch(folder.name)]
    named = [folder for folder in drafts if (folder / _OWNER).is_file() or (folder / RECORD).is_file()]
    return [folder for folder in named if not _has_living_owner(folder)]


def clean(engines_folder: Path) -> None:
    """Removes drafts of processes that have ended, and what was renamed to be removed."""
    for folder in dead_drafts(engines_folder):
        end_orphan(folder / "t")
        shutil.rmtree(folder, ignore_errors=True)
    for folder in _folders(engines_folder, OLD):
        if _OURS.fullmatch(folder.name):
            shutil.rmtree(folder, ignore_errors=True)


def put_in_place(draft: Path, final: Path) -> None:
    """Renames ``draft`` to ``final``, in place of what is there, which comes back where that fails.

    Raises SegmentationError("FILE_LOCKED").
    """
    old = _old_name(final)
    if final.exists():
        patiently(lambda: final.rename(old))
    try:
        patiently(lambda: draft.rename(final))
    except BaseException:
        if old.exists():
            patiently(lambda: old.rename(final))
        raise
    shutil.rmtree(old, ignore_errors=True)  # what is locked goes with the next clean()


def discard(folder: Path) -> None:
    """Removes a folder: at once under its name, then from the disk. Raises SegmentationError("FILE_LOCKED")."""
    if not folder.exists():
        return
    old = _old_name(folder)
    patiently(lambda: folder.rename(old))
    patiently(lambda: shutil.rmtree(old))


def _old_name(folder: Path) -> Path:
    return folder.with_name(f"{OLD}{folder.name.lstrip('.')}-{secrets.token_hex(3)}")


def _folders(engines_folder: Path, start: str) -> list[Path]:
    try:
        return [entry for entry in engines_folder.iterdir() if entry.name.startswith(start) and entry.is_dir()]
    except OSError:
        return []


def _has_living_owner(draft: Path) -> bool:
    try:
        return is_alive(ProcessIdentity(**json.loads((draft / _OWNER).read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        return False
