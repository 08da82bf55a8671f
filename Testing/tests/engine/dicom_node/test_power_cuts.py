"""The node in a process of its own, killed while it receives, segments and sends, and stopped as it should be."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from dicom_peers import LOOPBACK, TITLE, archive, association, send
from orthanc import free_ports
from places import MODULE_FOLDER, TESTING
from seeded_models import write_folder
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.dicom_node.node_folder import NodeFolder
from TotalSegmentatorEngine.dicom_node.node_status import read_status

FAKES = TESTING / "tests" / "support" / "fakes"
BENCH = TESTING / "tests" / "support" / "batch"
MODELS = TESTING / "tests" / "support" / "models"


class Receiver:
    """One node folder, and the processes that work on it one after the other."""

    def __init__(self, folder: Path, archive_port: int) -> None:
        self.node = folder / "node"
        self.gate = folder / "gate"
        self.gate.mkdir()
        self.log = folder / "node.log"
        self.err = folder / "err.txt"
        (self.port,) = free_ports(1)
        model = write_folder(folder / "models" / "Dataset901_Bench")
        self.settings = folder / "node.json"
        self.settings.write_text(
            json.dumps(
                {
                    "model": str(model),
                    "options": {"accept_size": True},
                    "listen": {"port": self.port},
                    "senders": [{"ae_title": TITLE, "address": LOOPBACK}],
                    "limits": {"free_disk_gb": 0},
                    "times": {"quiet_seconds": 0.2, "incomplete_minutes": 0.01, "retry_seconds": 0.2},
                    "reviewers": "radiologists on duty",
                    "destinations": [
                        {"name": "archive", "kind": "dicom", "address": LOOPBACK, "port": archive_port, "ae_title": "A"}
                    ],
                }
            )
        )
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        paths = os.pathsep.join(map(str, (MODULE_FOLDER, TESTING, TESTING / "tests" / "support", FAKES, BENCH, MODELS)))
        command = [sys.executable, FAKES / "fake_receiver.py", self.gate, "receive", self.node]
        command += ["--settings", self.settings, "--log", self.log]
        with self.err.open("ab") as err:
            self.process = subprocess.Popen(
                list(map(str, command)), env={**os.environ, "PYTHONPATH": paths}, stderr=err
            )
        wait_for(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.err.read_text()
        try:
            socket.create_connection((LOOPBACK, self.port)).close()
            return True
        except ConnectionRefusedError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def count(self, name: str) -> int:
        """Lines of GATE/begun or GATE/ended."""
        file = self.gate / name
        return len(file.read_text().splitlines()) if file.exists() else 0

    @property
    def states(self) -> list[str]:
        return sorted(row.state for row in read_status(NodeFolder(self.node)).series)

    @property
    def deliveries(self) -> list[str]:
        return sorted(one["state"] for row in read_status(NodeFolder(self.node)).series for one in row.deliveries)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Segmentations do not end."""
        (self.gate / "hold").touch()
        try:
            yield
        finally:
            (self.gate / "hold").unlink()


def wait_for(is_true: Callable[[], bool], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture
def make_receiver(tmp_path: Path) -> Iterator[Callable[[int], Receiver]]:
    made = []

    def make(archive_port: int) -> Receiver:
        made.append(Receiver(tmp_path, archive_port))
        return made[-1]

    yield make
    for receiver in made:
        if receiver.process is not None and receiver.process.poll() is None:
            receiver.kill()


def test_a_node_that_is_killed_loses_nothing_and_does_nothing_twice(make_receiver, series, capsys):
    one, two, three = series(), series(), series()
    is_open = threading.Event()
    with archive(before_answer=is_open.wait) as (port, stored):
        receiver = make_receiver(port)
        receiver.start()
        with receiver.held():  # killed while it segments one series and receives another
            send(receiver.port, one)
            wait_for(lambda: receiver.count("begun") == 1)
            send(receiver.port, two)
            with association(receiver.port) as opened:
                assert [opened.send_c_store(path).Status for path in three[:5]] == [0] * 5
                receiver.kill()
        receiver.start()  # killed while it sends
        wait_for(lambda: receiver.states == ["done", "done", "incomplete"] and stored)
        receiver.kill()
        is_open.set()
        receiver.start()
        wait_for(lambda: receiver.states == ["done", "done", "incomplete"])
        send(receiver.port, three[5:])
        wait_for(lambda: receiver.states == ["done", "done", "done"])
        wait_for(lambda: receiver.deliveries == ["sent"] * 3)
        assert (receiver.count("begun"), receiver.count("ended")) == (4, 3)  # one was killed and begun again
        assert len({str(sent.SOPInstanceUID) for sent in stored}) == 3  # one is there twice: it is the same object
        assert len(stored) == 4
        assert main(["receive", str(receiver.node), "--status"]) == 0
        assert capsys.readouterr().out.count("archive: 1 of 1") == 3
        stop_in_the_middle(receiver, series())


def stop_in_the_middle(receiver: Receiver, files: list[Path]) -> None:
    """SIGTERM while a series is segmented: the process ends well and soon, and the series is in the queue again."""
    begun = receiver.count("begun")
    with receiver.held():
        send(receiver.port, files)
        wait_for(lambda: receiver.count("begun") == begun + 1)
        receiver.process.send_signal(signal.SIGTERM)
        assert receiver.process.wait(15) == 0
    assert receiver.states == ["done", "done", "done", "waiting"]
    assert "stopped" in receiver.err.read_text()
    receiver.start()
    wait_for(lambda: receiver.states == ["done"] * 4)
    receiver.process.send_signal(signal.SIGINT)
    assert receiver.process.wait(15) == 0
