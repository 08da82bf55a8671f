"""Orthanc, a DICOM archive (Debian: orthanc, orthanc-dicomweb), on ports of this computer, with an empty database."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
import requests
from dicom_peers import LOOPBACK, NODE_TITLE

PROGRAM = "Orthanc"
WEB_PLUGIN = "libOrthancDicomWeb.so"
ARCHIVE_TITLE = "ORTHANC"


@dataclass(frozen=True)
class Orthanc:
    dicom_port: int
    web_port: int

    @property
    def web_url(self) -> str:
        """Of its DICOMweb service."""
        return f"http://{LOOPBACK}:{self.web_port}/dicom-web"

    def call(self, method: str, path: str, **settings: Any) -> Any:
        answer = requests.request(method, f"http://{LOOPBACK}:{self.web_port}{path}", timeout=20, **settings)
        answer.raise_for_status()
        return answer.json()

    def import_files(self, files: Sequence[Path]) -> str:
        """Returns Orthanc's own id of the files' series."""
        answers = [self.call("POST", "/instances", data=path.read_bytes()) for path in files]
        return answers[0]["ParentSeries"]

    def send(self, series: str, port: int) -> int:
        """Has Orthanc send a series to the node on ``port``; returns how many objects it failed to send."""
        requests.put(
            f"http://{LOOPBACK}:{self.web_port}/modalities/node",
            json={"AET": NODE_TITLE, "Host": LOOPBACK, "Port": port},
            timeout=20,
        ).raise_for_status()
        done = self.call("POST", "/modalities/node/store", json={"Resources": [series], "Synchronous": True})
        return int(done["FailedInstancesCount"])

    def objects(self, modality: str) -> list[pydicom.Dataset]:
        """All that it has of one modality."""
        query = {"Level": "Instance", "Query": {"Modality": modality}}
        found = []
        for instance in self.call("POST", "/tools/find", json=query):
            path = f"http://{LOOPBACK}:{self.web_port}/instances/{instance}/file"
            found.append(pydicom.dcmread(BytesIO(requests.get(path, timeout=20).content)))
        return found

    def forget(self) -> None:
        """Deletes everything."""
        for patient in self.call("GET", "/patients"):
            self.call("DELETE", f"/patients/{patient}")


@contextmanager
def running_orthanc(folder: Path) -> Iterator[Orthanc]:
    """Skips the test where the program is not installed."""
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin")
    plugins = [path for place in ("/usr/share/orthanc", "/usr/lib/orthanc") for path in Path(place).rglob(WEB_PLUGIN)]
    if program is None or not plugins:
        pytest.skip("Orthanc (Debian packages orthanc and orthanc-dicomweb) is not installed")
    orthanc = Orthanc(*free_ports(2))
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": orthanc.web_port,
        "DicomPort": orthanc.dicom_port,
        "DicomAet": ARCHIVE_TITLE,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [str(plugins[0])],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    file = folder / "orthanc.json"
    file.write_text(json.dumps(settings), encoding="utf-8")
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen([program, str(file)], stdout=log, stderr=log)
    try:
        _wait_for(orthanc, process)
        yield orthanc
    finally:
        process.kill()
        process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def _wait_for(orthanc: Orthanc, process: subprocess.Popen) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            orthanc.call("GET", "/system")
            return
        except requests.ConnectionError:
            assert process.poll() is None and time.monotonic() < until, "Orthanc does not start"
            time.sleep(0.05)
