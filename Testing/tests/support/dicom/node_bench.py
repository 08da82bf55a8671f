"""A whole node in this process: it listens, segments with a stand-in for the networks, and sends."""

from __future__ import annotations

import dataclasses
import ipaddress
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch_bench import BatchBench
from dicom_peers import LOOPBACK, TITLE
from one_model import model_task
from orthanc import ARCHIVE_TITLE
from TotalSegmentatorEngine.batch.running.case_task import make_case_task
from TotalSegmentatorEngine.dicom_node.node_folder import NodeFolder
from TotalSegmentatorEngine.dicom_node.node_status import NodeStatus, read_status
from TotalSegmentatorEngine.dicom_node.receiving_node import ReceivingNode
from TotalSegmentatorEngine.dicom_node.settings.node_settings import (
    Limits,
    Listening,
    NodeSettings,
    Sender,
    Times,
)
from TotalSegmentatorWire.messages.options import JobOptions

QUICK = Times(quiet_seconds=0.2, incomplete_minutes=0.01, retry_seconds=0.2)


@dataclass
class NodeBench:
    bench: BatchBench
    said: list[str] = field(default_factory=list)

    @property
    def folder(self) -> NodeFolder:
        return NodeFolder(self.bench.folder / "node")

    @property
    def status(self) -> NodeStatus:
        return read_status(self.folder)

    @property
    def segmented(self) -> int:
        return len(self.bench.seen)

    def settings(self, **changes: Any) -> NodeSettings:
        address = ipaddress.ip_network(LOOPBACK)
        usual = NodeSettings(
            listening=Listening(port=0, senders=(Sender(TITLE, address), Sender(ARCHIVE_TITLE, address))),
            limits=Limits(free_disk_gb=0.0),
            times=QUICK,
            model=str(self.bench.model),
            options=JobOptions(accept_size=True),
            reviewers="radiologists on duty",
        )
        return dataclasses.replace(usual, **changes)

    @contextmanager
    def running(self, settings: NodeSettings) -> Iterator[ReceivingNode]:
        """The node from its start to its stop."""
        folder = self.folder
        folder.prepare()
        task = model_task(settings.model, self.bench.folder, None, "cpu", settings.options)
        started = threading.Event()
        with folder.held():
            node = ReceivingNode(settings, folder, make_case_task(task, settings.export), self.said.append)
            thread = threading.Thread(target=node.run, args=(started.set,))
            thread.start()
            try:
                assert started.wait(20)
                yield node
            finally:
                node.stop()
                thread.join(30)
                assert not thread.is_alive()

    def wait_for(self, is_true: Callable[[], bool], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not is_true():
            assert time.monotonic() < until, "\n".join(self.said)
            time.sleep(0.05)

    def states(self) -> list[str]:
        return sorted(row.state for row in self.status.series)


def all_text(folder: Path) -> str:
    """Of every file that is no DICOM object and no image."""
    files = [path for path in folder.rglob("*") if path.suffix in (".json", ".txt", ".log", ".csv")]
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in files)
