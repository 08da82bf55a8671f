"""A computer for tests of the set-up: a copy of the module, its user's folders, a catalogue on a local server."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from misbehaving_server import MisbehavingServer
from places import MODULE_FOLDER
from seeded_models import make_catalogue_model
from warm_process import run_warm

MODEL = "117-3mm"


@dataclass
class Computer:
    """``python`` runs the copy of the module in ``home``, which holds everything of the user."""

    home: Path
    python: Path

    @property
    def program(self) -> Path:
        return self.home / "module" / "TotalSegmentatorEngine" / "__main__.py"

    @property
    def data(self) -> Path:
        return self.home / "data"

    def run(self, *arguments: object, expected: int = 0, **variables: str) -> subprocess.CompletedProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TOTALSEGMENTATOR_")}
        environment |= {
            "HOME": str(self.home),
            "XDG_DATA_HOME": str(self.data),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "TMPDIR": str(self.home / "tmp"),
            **variables,
        }
        command = [str(self.python), str(self.program), *map(str, arguments)]
        done = run_warm(command, environment)
        assert done.returncode == expected, done.stdout + done.stderr
        return done


def make_computer(home: Path, python: Path, server: MisbehavingServer) -> Computer:
    """With the model MODEL, in small, on the server and in the catalogue of the module's copy."""
    (home / "tmp").mkdir(parents=True)
    shutil.copytree(MODULE_FOLDER, home / "module", ignore=shutil.ignore_patterns("__pycache__"))
    _publish(home, server)
    return Computer(home, python)


def _publish(home: Path, server: MisbehavingServer) -> None:
    """The archive has the published layout."""
    made = make_catalogue_model(home / "published", MODEL)[0]
    archive = home / "published.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for file in made.rglob("*"):
            opened.write(file, file.relative_to(home / "published"))
    content = archive.read_bytes()
    table = home / "module" / "Resources" / "Models" / "models.json"
    rows = json.loads(table.read_text(encoding="utf-8"))
    part = next(model for model in rows["models"] if model["id"] == MODEL)["parts"][0]
    part["urls"] = [server.serve("model.zip", content)]
    part["bytes"], part["sha256"] = len(content), hashlib.sha256(content).hexdigest()
    table.write_text(json.dumps(rows), encoding="utf-8")


def labels_in(path: Path) -> np.ndarray:
    return np.asanyarray(nibabel.load(path).dataobj)
