"""The command batch on worker processes of this computer, one of which is killed in the middle of a CT."""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import ct_variants
import numpy as np
import psutil
import pytest
from seeded_models import make_model_folder
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.cli.main import main

COUNT = 3
SECONDS = 300.0
"""Until the test gives up: a busy machine needs a minute."""


@dataclass
class Killer(threading.Thread):
    """Kills a worker that has read its CT, once one CT is done: the other worker has its networks loaded then."""

    output: Path

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.case_id = ""
        self.killed_at = 0.0
        self.listened_at: set[str] = set()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        until = time.monotonic() + SECONDS
        while not self.case_id and time.monotonic() < until:
            if list(self.output.glob("*/done.json")):
                self._kill_one()
            time.sleep(0.01)

    def _kill_one(self) -> None:
        for log in self.output.glob("*/.*.draft/log.txt"):
            folder = log.parent.parent
            try:
                if "CT of" in log.read_text(encoding="utf-8") and not (folder / "done.json").exists():
                    owner = json.loads((folder / "claim.json").read_text(encoding="utf-8"))["process"]
                    worker = psutil.Process(owner["pid"])
                    sockets = [socket for socket in worker.net_connections("inet") if socket.status == "LISTEN"]
                    worker.kill()
                    self.listened_at = {socket.laddr.ip for socket in sockets}
                    self.case_id, self.killed_at = folder.name, time.time()
                    return
            except (OSError, psutil.Error):  # it was just finished
                continue


@pytest.mark.slow  # two processes load torch
@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_the_ct_of_a_killed_worker_is_finished_once(tmp_path: Path, capsys: pytest.CaptureFixture):
    model = make_model_folder(tmp_path / "models" / "Dataset902_Tiny")
    (tmp_path / "in").mkdir()
    for number in range(COUNT):
        voxels = np.full((40, 40, 40), -1000, np.int16)
        voxels[5:35, 5:35, 5 : 30 + number] = 40
        ct_variants.write_image(tmp_path / "in" / f"ct{number}.nii.gz", voxels, np.diag([3.0, 3.0, 3.0, 1.0]))
    output = tmp_path / "out"
    killer = Killer(output)
    killer.start()

    words = [tmp_path / "in", "--output", output, "--model", model, "--runtime", "eager", "--device", "cpu"]
    status = main(["batch", *map(str, words), "--accept-size", "--scheduler", "local", "--workers", "2"])

    err = capsys.readouterr().err
    outcomes = {outcome.id: outcome for outcome in BatchFolder(output).outcomes()}
    assert killer.case_id, err
    assert status == 0, err
    assert killer.listened_at == {"127.0.0.1"}
    assert len(outcomes) == COUNT and all(outcome.is_done for outcome in outcomes.values())
    assert err.count("a worker has ended; its CT goes to another one") == 1
    assert {case_id: err.count(case_id) for case_id in outcomes} == dict.fromkeys(outcomes, 1)
    assert (output / killer.case_id / "done.json").stat().st_mtime > killer.killed_at
    assert not list(output.rglob("*.draft")) and not list(output.rglob("claim.json"))
    children = psutil.Process().children(recursive=True)
    running = [child for child in children if child.status() != psutil.STATUS_ZOMBIE]
    assert [child for child in running if "spawn_main" in child.cmdline()[-1]] == []
