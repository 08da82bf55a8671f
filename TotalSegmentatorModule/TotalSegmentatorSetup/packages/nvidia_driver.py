"""What ``nvidia-smi`` reports of the graphics driver and the cards: it comes with the driver and needs no package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT = 30.0
"""Seconds; a card that sleeps takes several to answer."""


@dataclass(frozen=True)
class Gpu:
    name: str
    compute: tuple[int, int] | None = None
    """Compute capability; None where the driver is too old to report it."""


@dataclass(frozen=True)
class Driver:
    """The NVIDIA driver and the cards that it runs."""

    version: str
    gpus: tuple[Gpu, ...] = ()

    @property
    def numbers(self) -> tuple[int, ...]:
        return version_numbers(self.version)

    @property
    def best(self) -> Gpu | None:
        """The newest kind of card: the one that CUDA numbers first where it is the fastest too."""
        return max(self.gpus, key=lambda gpu: gpu.compute or (0, 0), default=None)


def version_numbers(version: str) -> tuple[int, ...]:
    """A version as numbers that can be compared: "580.65.06" is (580, 65, 6)."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def gpu_driver(program: str | None = None) -> Driver | None:
    """The driver of this computer; None where there is no NVIDIA driver or no card that it can use."""
    program = program or _nvidia_smi()
    if program is None:
        return None
    rows = _query(program, "driver_version,name,compute_cap")
    if rows is None:  # drivers before 2021 know no compute_cap and refuse the whole question
        rows = _query(program, "driver_version,name")
    if not rows:
        return None
    return Driver(rows[0][0], tuple(_gpu(row) for row in rows))


def has_card(root: Path = Path("/")) -> bool:
    """Whether this computer has an NVIDIA card with a driver, found out in no time: no program is asked.

    Linux: the driver has a folder for each card (NVIDIA's README, "proc interface"), and a device file; under WSL it is
    the library that Windows lends (CUDA on WSL user guide). Windows: the driver's CUDA library (not run here). ``root``
    is where the file system begins.
    """
    if sys.platform == "darwin":  # the last driver was for macOS 10.13
        return False
    if os.name == "nt":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").is_file()
    folder = root / "proc" / "driver" / "nvidia" / "gpus"
    if folder.is_dir() and any(folder.iterdir()):
        return True
    if any((root / "dev").glob("nvidia[0-9]*")):
        return True
    return (root / "dev" / "dxg").exists() and (root / "usr" / "lib" / "wsl" / "lib" / "libcuda.so.1").exists()


def _nvidia_smi() -> str | None:
    found = shutil.which("nvidia-smi")
    if found is None and os.name == "nt":  # not on the PATH in some installations (not run here)
        places = [
            Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvidia-smi.exe",
            Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"))
            / "NVIDIA Corporation"
            / "NVSMI"
            / "nvidia-smi.exe",
        ]
        found = next((str(place) for place in places if place.is_file()), None)
    return found


def _query(program: str, fields: str) -> list[list[str]] | None:
    """One row a card; None where the program failed or said something else."""
    hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {}
    try:
        answer = subprocess.run(
            [program, f"--query-gpu={fields}", "--format=csv,noheader"],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT,
            check=True,
            **hidden,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    lines = answer.stdout.decode("utf-8", "replace").strip().splitlines()
    rows = [[field.strip() for field in line.split(",")] for line in lines]
    known = [row for row in rows if len(row) == fields.count(",") + 1 and re.match(r"\d+\.\d+", row[0])]
    return known if known or not rows else None


def _gpu(row: list[str]) -> Gpu:
    compute = re.fullmatch(r"(\d+)\.(\d+)", row[2]) if len(row) > 2 else None
    return Gpu(row[1], (int(compute[1]), int(compute[2])) if compute else None)
