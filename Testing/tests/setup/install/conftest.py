"""A computer whose Python is a fresh one with slicer-core and nothing of ours, as Slicer's own is."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from engine_support import blobs_volume
from setup_support import Computer, make_computer


@pytest.fixture
def computer(tmp_path, server) -> Computer:
    home = tmp_path / "Jörg Ä 患者"
    environment = home / "slicer"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    _copy_distribution("slicer-core", python)
    return make_computer(home, python, server)


def _copy_distribution(name: str, python: Path) -> None:
    """What pip would install, taken from the packages of these tests: no download, and no second unpacking."""
    ask = 'import sysconfig; print(sysconfig.get_paths()["purelib"])'
    packages = Path(subprocess.check_output([str(python), "-c", ask], text=True).strip())
    for file in importlib.metadata.files(name) or []:
        if ".." not in file.parts:  # scripts lie outside
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file.locate(), target)


@pytest.fixture
def ct(computer) -> Path:
    volume = blobs_volume((40, 44, 42), (3.0, 3.0, 3.0))
    path = computer.home / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume.array.transpose(2, 1, 0), np.diag([3.0, 3.0, 3.0, 1.0])), path)
    return path
