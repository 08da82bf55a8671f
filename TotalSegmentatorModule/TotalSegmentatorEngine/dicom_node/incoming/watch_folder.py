"""A folder into which others put series as files. They are taken when nothing has changed for a quiet time, and left.

What lies directly in the folder is taken together, and so is everything below each folder in it: a series can be spread
over several folders. The files that were taken are remembered, by size and time of change, beyond the end of the node.

Where a file cannot be read, nobody knows to which series it belongs: all series that were taken with it count as cut
off until everything is taken again and can be read.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from TotalSegmentatorEngine.dicom_node.incoming.incoming_folder import (
    IncomingFolder,
    NoRoomError,
    SeriesTooLargeError,
    Transfer,
)
from TotalSegmentatorEngine.dicom_node.incoming.received_object import NotUsableError
from TotalSegmentatorEngine.dicom_series.recognition import begins_like_dicom
from TotalSegmentatorEngine.imaging.durable_file import read_json, write_json
from TotalSegmentatorEngine.series_selection.folder_scan import natural_key

_BLOCK = 1 << 20
_SECONDS_WITHOUT_ROOM = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 60.0, 600.0
"""In seconds, before what could not be taken is tried again: all of it is read anew each time."""

_log = logging.getLogger(__name__)

Stamp = tuple[int, int]
"""Size in bytes, time of change in ns."""


class _UnreadableError(Exception):
    """A file cannot be read now. No OSError, which stands for the node's own disk."""


class WatchFolder:
    """``taken``: the file that remembers what was taken. ``clock`` gives seconds, and never goes back."""

    def __init__(
        self,
        path: Path,
        taken: Path,
        incoming: IncomingFolder,
        quiet_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._file = taken
        self._incoming = incoming
        self._quiet = quiet_seconds
        self._clock = clock
        self._taken: dict[str, Stamp] = {name: tuple(stamp) for name, stamp in (read_json(taken) or {}).items()}
        self._seen: dict[str, dict[Path, Stamp]] = {}
        self._changed: dict[str, float] = {}
        self._is_there = True
        self._not_before = float("-inf")
        self._put_off: dict[str, tuple[float, float]] = {}
        """Until when a group waits that could not be taken, and for how long it does."""

    def look(self, is_stopped: Callable[[], bool] = lambda: False) -> int:
        """Takes what has been quiet for long enough; returns how many CT images were taken. Raises OSError where what
        was taken cannot be remembered."""
        found = self._listed()
        if found is None:
            return 0
        now, count = self._clock(), 0
        for group, files in found.items():
            if self._seen.get(group) != files:
                self._changed[group] = now
                self._put_off.pop(group, None)
            if now - self._changed[group] < self._quiet or self._is_put_off(group) or is_stopped():
                continue
            new = {path: stamp for path, stamp in files.items() if self._taken.get(_key(path)) != stamp}
            if new:
                count += self._take(group, new)
        self._seen = found
        self._changed = {group: self._changed[group] for group in found}
        self._put_off = {group: times for group, times in self._put_off.items() if group in found}
        self._forget(found)
        return count

    def _is_put_off(self, group: str) -> bool:
        until, _ = self._put_off.get(group, (self._not_before, 0.0))
        return self._clock() < max(self._not_before, until)

    def _take(self, group: str, files: dict[Path, Stamp]) -> int:
        transfer, images, unreadable = self._incoming.transfer(), 0, 0
        is_whole = False
        try:
            for path, stamp in files.items():
                try:
                    images += self._receive(path, stamp[0], transfer)
                except _UnreadableError:
                    unreadable += 1
            is_whole = not unreadable
        except NoRoomError as error:
            if not isinstance(error, SeriesTooLargeError):
                self._not_before = self._clock() + _SECONDS_WITHOUT_ROOM
            _log.warning("files of the watched folder are not taken now: %s", error)
        finally:
            transfer.end(is_whole, time.time() - self._quiet)
        if is_whole:
            self._taken |= {_key(path): stamp for path, stamp in files.items()}
            self._remember()
            self._put_off.pop(group, None)
            _log.info("%d files of the watched folder taken, %d passed over", images, len(files) - images)
            return images
        if unreadable:
            _log.warning("%d files of the watched folder cannot be read now; they are tried again", unreadable)
        pause = min(2 * self._put_off[group][1], _LONGEST_PAUSE) if group in self._put_off else _FIRST_PAUSE
        self._put_off[group] = (self._clock() + pause, pause)
        return images

    def _receive(self, path: Path, size: int, transfer: Transfer) -> bool:
        """False for what is no CT image. Raises NoRoomError, _UnreadableError."""
        try:
            stream = (self._path / path).open("rb")
        except OSError as error:
            raise _UnreadableError from error
        with stream:
            blocks = _blocks(stream)
            start = next(blocks, b"")
            if not begins_like_dicom(start):
                return False
            try:
                transfer.receive(itertools.chain([start], blocks), size)
            except NotUsableError:
                return False
            return True

    def _listed(self) -> dict[str, dict[Path, Stamp]] | None:
        """Files by group, in the order of their names. None where it cannot be read, as when a share is gone."""
        found: dict[str, dict[Path, Stamp]] = defaultdict(dict)
        try:
            next(self._path.iterdir(), None)  # os.walk would be silent
            for folder, folders, names in os.walk(self._path):
                folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_key)
                for name in sorted((name for name in names if not name.startswith(".")), key=natural_key):
                    path = Path(folder, name)
                    try:
                        status = path.stat()
                    except FileNotFoundError:  # it has just gone, or is a link that leads nowhere
                        continue
                    relative = path.relative_to(self._path)
                    group = relative.parts[0] if len(relative.parts) > 1 else ""
                    found[group][relative] = (status.st_size, status.st_mtime_ns)
        except OSError:
            if self._is_there:
                _log.warning("the watched folder cannot be read now")
            self._is_there = False
            return None
        self._is_there = True
        return dict(found)

    def _forget(self, found: dict[str, dict[Path, Stamp]]) -> None:
        there = {_key(path) for files in found.values() for path in files}
        if not self._taken.keys() <= there:
            self._taken = {name: stamp for name, stamp in self._taken.items() if name in there}
            self._remember()

    def _remember(self) -> None:
        write_json(self._file, self._taken)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Raises _UnreadableError."""
    while True:
        try:
            block = stream.read(_BLOCK)
        except OSError as error:
            raise _UnreadableError from error
        if not block:
            return
        yield block


def _key(path: Path) -> str:
    """Stands for a file: its name can be a patient's."""
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
