"""A listening node without an engine, and series to send to it. Nothing leaves this computer."""

from __future__ import annotations

import dataclasses
import ipaddress
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from dicom_peers import LOOPBACK, TITLE
from pydicom.uid import generate_uid
from series_support import chest, write_series
from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import IncomingFolder
from TotalSegmentatorEngine.dicom_node.network.listener import Listener
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Limits, Listening, Sender

QUIET = 30.0


class Clock:
    """Seconds since 1970, as a test wants them."""

    def __init__(self) -> None:
        self.now = 1.6e9

    def __call__(self) -> float:
        return self.now


@dataclass
class RunningNode:
    folder: Path
    clock: Clock
    incoming: IncomingFolder
    listener: Listener

    @property
    def port(self) -> int:
        return self.listener.port

    def complete(self) -> list[str]:
        """Series that are complete when the quiet time has passed."""
        self.settle()
        self.clock.now += QUIET
        return self.incoming.complete(QUIET)

    def settle(self) -> None:
        """Waits until the node has noticed how the last association ended."""
        until = time.monotonic() + 60
        while any(state.is_open for state in self.incoming.states().values()):
            self.listener.end_lost_transfers()
            assert time.monotonic() < until
            time.sleep(0.01)

    def started_again(self) -> IncomingFolder:
        """What another process finds on the disk at this moment, as after a power cut."""
        return IncomingFolder(self.folder, Limits(), self.clock)


@pytest.fixture
def make_node(tmp_path: Path) -> Iterator[Callable[..., RunningNode]]:
    """Settings are fields of Listening or of Limits."""
    nodes = []

    def make(**settings: Any) -> RunningNode:
        known = {field.name for field in dataclasses.fields(Limits)}
        limits = Limits(
            **{"connections_per_minute": 10**6, "free_disk_gb": 0.0}
            | {name: value for name, value in settings.items() if name in known}
        )
        usual = {"port": 0, "senders": (Sender(TITLE, ipaddress.ip_network(LOOPBACK)),)}
        listening = Listening(**usual | {name: value for name, value in settings.items() if name not in known})
        folder = tmp_path / "node" / "incoming"
        folder.mkdir(parents=True, mode=0o700)
        clock = Clock()
        incoming = IncomingFolder(folder, limits, clock)
        nodes.append(RunningNode(folder, clock, incoming, Listener(listening, limits, incoming)))
        nodes[-1].listener.start()
        return nodes[-1]

    yield make
    for node in nodes:
        node.listener.stop()


@pytest.fixture
def node(make_node: Callable[..., RunningNode]) -> RunningNode:
    return make_node()


@pytest.fixture
def series(tmp_path: Path) -> Callable[..., list[Path]]:
    """Makes a series of eight small slices; each call another one."""
    count = iter(range(100))

    def make(**attributes: Any) -> list[Path]:
        number = next(count)
        folder = tmp_path / f"series-{number}"
        folder.mkdir()
        return write_series(folder, chest(number), **{"SeriesInstanceUID": generate_uid(), **attributes})

    return make
