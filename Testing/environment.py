"""Makes the environment ``.venv`` in which demo, tests and benchmarks run. Python's standard library only.

The packages are pinned in two files: the engine's (which the product installs too) and the tests' own. A digest of both
stands in the environment, so that a second call starts at once and a changed pin makes the environment anew.
``.venv-peer`` is made in the same way, for the programs that the benchmarks compare with, and ``.venv-v1`` for nnU-Net
v1, which sees the packages of ``.venv`` beside its own few.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
ENVIRONMENT = REPOSITORY / ".venv"
ENGINE_RESOURCES = REPOSITORY / "TotalSegmentatorModule" / "Resources" / "Engine"
TORCH_PIN = ENGINE_RESOURCES / "torch.txt"
PINS = (ENGINE_RESOURCES / "requirements.txt", REPOSITORY / "Testing" / "requirements.txt")
PEER_ENVIRONMENT = REPOSITORY / ".venv-peer"
PEER_PINS = (REPOSITORY / "Testing" / "benchmarks" / "peers" / "peer_requirements.txt",)
V1_ENVIRONMENT = REPOSITORY / ".venv-v1"
V1_PINS = (REPOSITORY / "Testing" / "benchmarks" / "peers" / "v1_requirements.txt",)
PYTHON_VERSIONS = ((3, 10), (3, 12))
_STAMP = "pins.sha256"

# Shared libraries that the wheels of Qt and VTK expect from the system, with Debian's package for each.
SYSTEM_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libglib-2.0.so.0": "libglib2.0-0",
}

# Programs that judge or read what the export writes, or exchange it with us, with Debian's package for each. Tests skip
# without them.
VALIDATORS = {"dciodvfy": "dicom3tools", "plastimatch": "plastimatch", "Orthanc": "orthanc-dicomweb"}


class SetupError(Exception):
    """Something that this program needs is missing; the message is one line with what to do."""


def python_of(environment: Path) -> Path:
    """The interpreter inside a virtual environment, on Windows and elsewhere."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_environment() -> Path:
    """Makes ``.venv`` if it is absent or its pins have changed; returns its interpreter. Raises SetupError."""
    _check_python()
    check_system_libraries()
    return _ensure(ENVIRONMENT, PINS)


def ensure_peer_environment() -> Path:
    """The same for ``.venv-peer``, with TotalSegmentator's command line and nnU-Net's own predictor."""
    _check_python()
    return _ensure(PEER_ENVIRONMENT, PEER_PINS)


def ensure_v1_environment() -> Path:
    """The same for ``.venv-v1``, with nnU-Net v1. It computes with the torch and NumPy of ``.venv``."""
    engine = ensure_environment()
    python = _stamped(V1_ENVIRONMENT, _digest((*PINS, *V1_PINS)))
    if python is not None:
        return python
    print("Making the environment {} (once)...".format(V1_ENVIRONMENT.name), flush=True)
    python = _new_environment(V1_ENVIRONMENT)
    packages = 'import sysconfig; print(sysconfig.get_paths()["purelib"])'
    shared, own = (subprocess.check_output([str(each), "-c", packages], text=True).strip() for each in (engine, python))
    (Path(own) / "engine_packages.pth").write_text(shared + "\n", encoding="utf-8")
    for file in V1_PINS:
        _pip(python, "--no-deps", "-r", str(file))
    return _stamp(V1_ENVIRONMENT, _digest((*PINS, *V1_PINS)))


def ensure_validators() -> None:
    """Installs the programs of ``VALIDATORS`` that are missing where that asks nobody: on Debian's, as root.

    Elsewhere one line says how, since the tests run without them.
    """
    missing = sorted(package for program, package in VALIDATORS.items() if shutil.which(program) is None)
    if not missing:
        return
    if sys.platform.startswith("linux") and shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing {} (once)...".format(", ".join(missing)), flush=True)
        install = ["apt-get", "install", "-y", "--no-install-recommends", *missing]
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "capture_output": True, "check": False}
        if subprocess.run(install, **quiet).returncode == 0:
            return
        subprocess.run(["apt-get", "update"], **quiet)
        if subprocess.run(install, **quiet).returncode == 0:
            return
    print("Some tests skip without: sudo apt-get install -y {}".format(" ".join(missing)), flush=True)


def _ensure(environment: Path, pins: tuple[Path, ...]) -> Path:
    digest = _digest(pins)
    python = _stamped(environment, digest)
    if python is not None:
        return python
    print("Making the environment {} (once; torch is a large download)...".format(environment.name), flush=True)
    python = _new_environment(environment)
    install_torch(python)
    for file in pins:
        _pip(python, "--no-deps", "-r", str(file))
    return _stamp(environment, digest)


def _stamped(environment: Path, digest: str) -> Path | None:
    """The interpreter of an environment that is complete and has this digest."""
    stamp, python = environment / _STAMP, python_of(environment)
    is_current = stamp.is_file() and stamp.read_text(encoding="ascii") == digest and python.is_file()
    return python if is_current else None


def _new_environment(environment: Path) -> Path:
    shutil.rmtree(environment, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(environment)], "Install Python's venv module (Debian: python3-venv).")
    return python_of(environment)


def _stamp(environment: Path, digest: str) -> Path:
    (environment / _STAMP).write_text(digest, encoding="ascii")
    return python_of(environment)


def _check_python() -> None:
    low, high = PYTHON_VERSIONS
    if not low <= sys.version_info[:2] <= high:
        raise SetupError(
            "Python {}.{} to {}.{} is needed, this is {}.{}: start this program with such a Python.".format(
                *low, *high, *sys.version_info[:2]
            )
        )


def check_system_libraries() -> None:
    if not sys.platform.startswith("linux"):
        return
    missing = []
    for library, package in SYSTEM_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    if missing:
        raise SetupError(
            "Libraries are missing; install them with: sudo apt-get install -y {}".format(" ".join(missing))
        )


def _digest(pins: tuple[Path, ...]) -> str:
    digest = hashlib.sha256(sysconfig.get_python_version().encode("ascii"))
    for file in (TORCH_PIN, *pins):
        digest.update(file.read_bytes())
    return digest.hexdigest()


def install_torch(python: Path) -> None:
    """Torch for the CPU from PyTorch's own index; where that cannot be reached, from pip's configured sources.

    What those give may be a build for CUDA, which cannot be imported without the libraries that it depends on: there
    the dependencies come along, in the versions of our pins.
    """
    sources = json.loads((ENGINE_RESOURCES / "sources.json").read_text(encoding="utf-8"))
    index = sources["torch_indexes"]["cpu"]
    attempt = _pip_command(python, "--no-deps", "--retries", "1", "--timeout", "10", "--index-url", index)
    if subprocess.run([*attempt, "-r", str(TORCH_PIN)], capture_output=True, check=False).returncode != 0:
        print("PyTorch's own index cannot be reached; trying pip's configured sources.", flush=True)
        _pip(python, "-r", str(TORCH_PIN), "-c", str(ENGINE_RESOURCES / "requirements.txt"))


def _pip_command(python: Path, *arguments: str) -> list[str]:
    return [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]


def _pip(python: Path, *arguments: str) -> None:
    _run(_pip_command(python, *arguments), "Check the internet connection and pip's configuration, then try again.")


def _run(command: list[str], todo: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SetupError("{}\n'{}' failed. {}".format(result.stderr.strip()[-2000:], " ".join(command[1:5]), todo))
