"""From nothing to a segmentation in one command: real packages, a model from a server; and from an offline folder.

The Python is a fresh one with slicer-core and nothing of ours, as Slicer's own is; its packages must not change.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from engine_support import blobs_volume
from misbehaving_server import misbehaving_server
from places import TESTING
from setup_support import MODEL, Computer, make_computer

pytestmark = pytest.mark.slow  # installs 1.5 GB of packages, once from the index and once from the offline folder
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def server():
    with misbehaving_server() as running:
        yield running


@pytest.fixture(scope="module")
def computer(tmp_path_factory, server) -> Computer:
    home = tmp_path_factory.mktemp("Jörg Ä 患者")
    environment = home / "slicer"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pin = next(
        line for line in (TESTING / "requirements.txt").read_text().splitlines() if line.startswith("slicer-core")
    )
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--no-deps", pin], check=True)
    return make_computer(home, python, server)


@pytest.fixture(scope="module")
def ct(computer) -> Path:
    volume = blobs_volume((40, 44, 42), (3.0, 3.0, 3.0))
    path = computer.home / "ct.nii.gz"
    nibabel.save(nibabel.Nifti1Image(volume.array.transpose(2, 1, 0), np.diag([3.0, 3.0, 3.0, 1.0])), path)
    return path


def digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def labels_in(path: Path) -> np.ndarray:
    return np.asanyarray(nibabel.load(path).dataobj)


def test_one_command_installs_everything_and_segments_and_removing_leaves_nothing(computer, ct, server):
    packages = computer.python.parents[1] / "lib"
    before = digest_of(packages)
    computer.run("segment", ct, computer.home / "none.nii.gz", "--model", MODEL, expected=50)  # ENGINE_MISSING

    first = computer.run("segment", ct, computer.home / "first.nii.gz", "--model", MODEL, "--install")

    assert "structures found" in first.stdout
    assert labels_in(computer.home / "first.nii.gz").shape == (42, 44, 40)
    assert len(server.requests) == 1
    # what is there is used from now on, and nothing is asked of any server
    computer.run("segment", ct, computer.home / "second.nii.gz", "--model", MODEL, HTTP_PROXY=NOWHERE)
    assert np.array_equal(labels_in(computer.home / "second.nii.gz"), labels_in(computer.home / "first.nii.gz"))
    doctor = json.loads(computer.run("doctor", "--json").stdout)
    assert doctor["state"] == "ready", doctor
    assert str(computer.home) not in json.dumps(doctor)

    computer.run("remove", "--with-models")
    assert list(computer.data.iterdir()) == []
    assert list((computer.home / "tmp").iterdir()) == []
    assert digest_of(packages) == before


def test_an_offline_folder_installs_everything_without_a_network(computer, ct):
    bundle = computer.home / "stick"
    computer.run("make-offline-bundle", bundle, "--models", MODEL)
    assert {path.name for path in bundle.iterdir()} == {"bundle.json", "packages", "models"}
    offline = {
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
        "PIP_INDEX_URL": NOWHERE,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": "",
    }

    computer.run("setup", "--models", MODEL, "--from-folder", bundle, **offline)
    computer.run("segment", ct, computer.home / "offline.nii.gz", "--model", MODEL, **offline)

    assert labels_in(computer.home / "offline.nii.gz").shape == (42, 44, 40)
    wheel = next((bundle / "packages").glob("scipy-*.whl"))
    wheel.rename(wheel.with_suffix(".gone"))
    lacking = computer.run("setup", "--repair", "--from-folder", bundle, expected=84, **offline)
    assert "BUNDLE_INCOMPLETE" in lacking.stderr
    assert wheel.name in lacking.stderr
    # a repair that failed leaves the engine that was there
    assert json.loads(computer.run("doctor", "--json").stdout)["state"] == "ready"
