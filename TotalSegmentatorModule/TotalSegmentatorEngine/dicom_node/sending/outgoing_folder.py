"""What is to be sent, on disk: marked objects, and what each destination has of them.

::

    outgoing/<id of the CT>-<8 hex digits of the options' digest>/rtstruct.dcm, seg.dcm, sr.dcm
                                                                  <destination>.json

An object is written once, so that whatever is sent again is the same object, with the same SOP Instance UID.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from TotalSegmentatorEngine.dicom_node.disk.durable_file import sync_folder
from TotalSegmentatorEngine.dicom_node.sending.delivery import GIVEN_UP, WAITING, Delivery, read_delivery
from TotalSegmentatorEngine.dicom_node.sending.marked_object import write_marked
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Destination

_log = logging.getLogger(__name__)


class OutgoingFolder:
    """Filled by the thread that segments, emptied by the one that sends. ``clock`` gives seconds since 1970."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self._clock = clock
        self._lock = threading.Lock()

    def add(self, name: str, exports: Mapping[str, Path], destinations: Iterable[Destination]) -> int:
        """Has the ``exports`` (files by format) of a CT sent; what was added before is left as it is. Returns how many
        deliveries are new. Raises OSError."""
        folder, count = self.path / name, 0
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(self.path)
        for destination in destinations:
            formats = [one for one in exports if one in destination.formats]
            if not formats or read_delivery(folder / f"{destination.name}.json") is not None:
                continue
            for one in formats:
                target = folder / f"{one}.dcm"
                if not target.exists():
                    write_marked(exports[one], target)
            with self._lock:
                Delivery(destination.name, tuple(f"{one}.dcm" for one in formats), self._clock()).write(folder)
            count += 1
        return count

    def due(self) -> list[tuple[Path, Delivery]]:
        """Folders and deliveries whose next attempt is due, the oldest first."""
        now = self._clock()
        found = [(folder, one) for folder, one in self.all() if one.state == WAITING and one.due <= now]
        return sorted(found, key=lambda pair: pair[1].since)

    def all(self) -> Iterator[tuple[Path, Delivery]]:
        if not self.path.is_dir():
            return
        for folder in sorted(self.path.iterdir()):
            for file in sorted(folder.glob("*.json")):
                delivery = read_delivery(file)
                if delivery is not None:
                    yield folder, delivery

    def of_case(self, case_id: str) -> list[Delivery]:
        return [delivery for folder, delivery in self.all() if folder.name.startswith(case_id)]

    def revive(self) -> None:
        """Those that were given up are tried again, as after the node was started anew. Raises OSError."""
        for folder, delivery in self.all():
            if delivery.state == GIVEN_UP:
                delivery.state, delivery.since, delivery.due, delivery.attempts = WAITING, self._clock(), 0.0, 0
                delivery.write(folder)

    def remove(self, case_id: str) -> None:
        for folder in self.path.glob(f"{case_id}-*"):
            shutil.rmtree(folder, ignore_errors=True)
