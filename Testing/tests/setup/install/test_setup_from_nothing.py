"""From nothing to a segmentation in one command: real packages, a model from a server.

The Python is a fresh one with slicer-core and nothing of ours, as Slicer's own is; its packages must not change.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from setup_support import MODEL, labels_in

pytestmark = pytest.mark.slow  # installs 1.8 GB of packages from the index
NOWHERE = "http://127.0.0.1:9"


def digest_of(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


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
