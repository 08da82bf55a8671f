"""What is to be sent, on disk: marked objects, and what each destination has of them.

::

    outgoing/<id of the CT>-<8 hex digits of the options' digest>/rtstruct.dcm, seg.dcm, sr.dcm
                                                                  <destination>.json

An object is written once, so that whatever is sent again is the same object, with the same SOP Instance UID.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from TotalSegmentatorEngine.dicom_node.sending.delivery import GIVEN_UP, SENT, WAITING, Delivery, read_delivery
from TotalSegmentatorEngine.dicom_node.sending.marked_object import write_marked
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Destination
from TotalSegmentatorEngine.imaging.durable_file import sync_folder


class OutgoingFolder:
    """Filled by the thread that segments, emptied by those that send. What is on the disk is read once, at the start.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._deliveries: dict[tuple[Path, str], Delivery] = {}
        for folder in sorted(path.iterdir()) if path.is_dir() else ():
            for file in sorted(folder.glob("*.json")):
                delivery = read_delivery(file)
                if delivery is not None:
                    self._deliveries[folder, delivery.destination] = delivery

    def add(self, name: str, exports: Mapping[str, Path], destinations: Iterable[Destination]) -> None:
        """Has the ``exports`` (files by format) of a CT sent; what was added before stays as it is. Raises OSError."""
        folder = self.path / name
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self.path)
        for destination in destinations:
            formats = [one for one in exports if one in destination.formats]
            if not formats or (folder, destination.name) in self._deliveries:
                continue
            for one in formats:
                target = folder / f"{one}.dcm"
                if not target.exists():
                    write_marked(exports[one], target)
            delivery = Delivery(destination.name, tuple(f"{one}.dcm" for one in formats), self._clock())
            delivery.write(folder)
            with self._lock:
                self._deliveries[folder, destination.name] = delivery

    def due(self, destination: str) -> list[tuple[Path, Delivery]]:
        """Folders and deliveries to a destination whose next attempt is due, the oldest first."""
        now = self._clock()
        found = [
            (folder, one)
            for folder, one in self.all()
            if one.destination == destination and one.state == WAITING and one.due <= now
        ]
        return sorted(found, key=lambda pair: pair[1].since)

    def all(self) -> list[tuple[Path, Delivery]]:
        """With their folders, whose names begin with the id of the CT."""
        with self._lock:
            return [(folder, delivery) for (folder, _), delivery in self._deliveries.items()]

    def waiting_cases(self) -> set[str]:
        """Ids of the CTs of which something is still to be sent."""
        return {folder.name.partition("-")[0] for folder, one in self.all() if one.state == WAITING}

    def revive(self, destinations: Iterable[str]) -> int:
        """Those that were given up are tried again, as after the node was started anew; those to none of the named
        destinations are given up. Returns how many that are. Raises OSError."""
        known, lost = set(destinations), 0
        for folder, delivery in self.all():
            if delivery.destination not in known and delivery.state != SENT:
                delivery.state = GIVEN_UP
                lost += 1
            elif delivery.state == GIVEN_UP:
                delivery.state, delivery.since, delivery.due, delivery.attempts = WAITING, self._clock(), 0.0, 0
            else:
                continue
            delivery.write(folder)
        return lost

    def remove(self, case_id: str) -> None:
        """Deletes what was sent of a CT, and how."""
        with self._lock:
            gone = [key for key in self._deliveries if key[0].name.partition("-")[0] == case_id]
            for key in gone:
                del self._deliveries[key]
        for folder in self.path.glob(f"{case_id}-*"):
            shutil.rmtree(folder, ignore_errors=True)
