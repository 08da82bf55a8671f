"""Which Python runs the engine: this one, but on Apple silicon a native one, where Slicer's runs in translation.

Slicer for macOS is an x86-64 program. PyTorch has had no packages for that since 2.2, and its GPU is out of reach from
there; a native Python that the user has anyway (python.org, Homebrew, uv) gives both.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

SUPPORTED = ((3, 10), (3, 12))
"""First and last minor version that the pinned packages have wheels for."""
_MACHINES = {"amd64": "x86_64", "x86-64": "x86_64", "arm64": "arm64", "aarch64": "aarch64"}
_QUESTION = "import platform, sys; print(*sys.version_info[:2], platform.machine())"
_TIMEOUT = 20.0
_DISTURBING = (  # each makes Python or pip behave in another way than what was tried
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONINSPECT",
    "PYTHONOPTIMIZE",
    "PYTHONWARNINGS",
    "PYTHONDEBUG",
    "PYTHONVERBOSE",
    "PYTHONPROFILEIMPORTTIME",
    "PYTHONPYCACHEPREFIX",
    "PYTHONEXECUTABLE",
)
_OF_ONE_PYTHON = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE")


@dataclass(frozen=True)
class EnginePython:
    path: str
    version: tuple[int, int]
    machine: str
    """Of the program that runs, not of the processor: "x86_64", "arm64", ..."""
    is_own: bool = True
    """Whether it is the Python that asks; then no path is remembered, as Slicer's changes with each version."""
    is_universal: bool = False
    """Whether it has to be asked for its native half with ``arch -arm64``."""

    @property
    def command(self) -> list[str]:
        return ["/usr/bin/arch", "-arm64", self.path] if self.is_universal else [self.path]

    @property
    def short_version(self) -> str:
        return "{}.{}".format(*self.version)


def own_python() -> EnginePython:
    return EnginePython(sys.executable, sys.version_info[:2], machine_name(platform.machine()))


def engine_python(
    candidates: Iterable[str] | None = None,
    is_apple_silicon: Callable[[], bool] | None = None,
    own: EnginePython | None = None,
) -> EnginePython:
    """The Python for the engine: this one, unless Apple silicon has a native one of a supported version."""
    own = own or own_python()
    translated = own.machine == "x86_64" and (is_apple_silicon or _is_apple_silicon)()
    if not translated:
        return own
    found = [native for path in (candidates or native_candidates()) if (native := _native(path)) is not None]
    return max(found, key=lambda python: python.version, default=own)


def native_candidates(home: Path | None = None, root: Path = Path("/")) -> list[str]:
    """Interpreters in the usual places of macOS, each file once."""
    home = home or Path.home()
    folders = [root / "opt/homebrew/bin", home / ".local/bin", *map(Path, os.environ.get("PATH", "").split(os.pathsep))]
    folders += (root / "Library/Frameworks/Python.framework/Versions").glob("*/bin")
    folders += (home / ".local/share/uv/python").glob("*/bin")
    names = [f"python3.{minor}" for minor in range(SUPPORTED[1][1], SUPPORTED[0][1] - 1, -1)]
    found: dict[Path, str] = {}
    for folder in folders:
        for name in names:
            file = folder / name
            if file.is_file():
                found.setdefault(file.resolve(), str(file))
    return list(found.values())


def machine_name(machine: str) -> str:
    return _MACHINES.get(machine.lower(), machine.lower())


def environment_for(python_is_own: bool) -> dict[str, str]:
    """This process's environment without what would disturb a child Python; another Python's has no trace of ours."""
    environment = {name: value for name, value in os.environ.items() if name not in _DISTURBING}
    if not python_is_own:
        for name in _OF_ONE_PYTHON:
            environment.pop(name, None)
    elif "SLICER_HOME" not in environment:  # Slicer's own Python finds its packages by it
        environment.pop("PYTHONPATH", None)
    return environment | {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", "PYTHONNOUSERSITE": "1"}


def _native(path: str) -> EnginePython | None:
    """``path`` as an arm64 interpreter of a supported version; None for any other."""
    for is_universal in (False, True):
        python = EnginePython(path, (0, 0), "arm64", is_own=False, is_universal=is_universal)
        answer = _ask([*python.command, "-c", _QUESTION])
        if answer is None or len(answer) != 3:
            continue
        major, minor, machine = answer
        version = (int(major), int(minor))
        if machine_name(machine) == "arm64" and SUPPORTED[0] <= version <= SUPPORTED[1]:
            return EnginePython(path, version, "arm64", is_own=False, is_universal=is_universal)
    return None


def _ask(command: Sequence[str]) -> list[str] | None:
    try:
        answer = subprocess.run(
            command,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=True,
            env=environment_for(python_is_own=False),
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.decode("ascii", "replace").split()


def _is_apple_silicon() -> bool:
    """Whether the processor is Apple's, also for a program that runs in translation (not run here)."""
    if sys.platform != "darwin":
        return False
    return _ask(["/usr/sbin/sysctl", "-n", "hw.optional.arm64"]) == ["1"]
