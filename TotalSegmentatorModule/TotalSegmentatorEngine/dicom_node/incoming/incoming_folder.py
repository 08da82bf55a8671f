"""The received objects on disk, by series, and when a series is complete.

::

    incoming/<12 hex digits of the series' UID's digest>/state.json
                                                        objects/<32 hex digits of the object's UID's digest>.dcm

What makes a series complete: every transfer of it ended as it should, nothing more came for a quiet time, and no
transfer is known to have broken off without the rest having come. The rest has come when a later transfer that ended
as it should brought something new, or everything again.

"Open" is written before the first object of a transfer, and an object is on the disk before its sender hears of it.
A series that is "open" when the node starts was therefore cut off.
"""

from __future__ import annotations

import filecmp
import itertools
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.disk_space import free_bytes

from TotalSegmentatorEngine.dicom_node.incoming.received_object import NotUsableError, ObjectHeader, read_object_header
from TotalSegmentatorEngine.dicom_node.incoming.series_state import DONE, WAITING, SeriesState, read_state
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Limits
from TotalSegmentatorEngine.imaging.durable_file import place_durably, sync_folder, write_draft

_DRAFTS = ".drafts"
_OBJECTS = "objects"
_GB = 1e9

_log = logging.getLogger(__name__)


class NoRoomError(Exception):
    """The object is refused for the time being: the disk or the queue is full, or its series is too large."""


class SeriesTooLargeError(NoRoomError):
    """Others of other series may still be stored."""


class IncomingFolder:
    """Used by the threads of the transfers and by the one that works on complete series. ``clock`` gives seconds since
    1970."""

    def __init__(self, path: Path, limits: Limits, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._lock = threading.RLock()
        self._drafts = path / _DRAFTS
        self._order = itertools.count(1)
        self._cut_order: dict[str, int] = {}
        """At which place in the order of events a transfer broke; 0 for those of an earlier run."""
        self._transfers: dict[str, set[Transfer]] = {}
        self._states: dict[str, SeriesState] = {}
        self._held: dict[str, int] = {}
        self._changes: dict[str, int] = {}
        """How often an object came or was replaced."""
        self._bytes = 0
        self._load()

    # -- what is there -------------------------------------------------------------------------------------------------

    def objects_folder(self, series: str) -> Path:
        return self._path / series / _OBJECTS

    def count(self, series: str) -> int:
        return self._held.get(series, 0)

    def changes(self, series: str) -> int:
        """Another number once an object has come or was replaced."""
        return self._changes.get(series, 0)

    def states(self) -> dict[str, SeriesState]:
        """By id of the series."""
        with self._lock:
            return dict(self._states)

    def complete(self, quiet_seconds: float) -> list[str]:
        """Ids of the series that nobody has worked on since something came, the oldest first."""
        with self._lock:
            due = self._clock() - quiet_seconds
            found = [
                (state.last, series)
                for series, state in self._states.items()
                if state.work == WAITING and not state.is_open and not state.is_cut_off and state.last <= due
            ]
        return [series for _, series in sorted(found)]

    def incomplete(self, minutes: float) -> list[str]:
        """Series that have waited so long for the rest, and were not reported yet."""
        with self._lock:
            due = self._clock() - 60 * minutes
            return [
                series
                for series, state in self._states.items()
                if state.is_cut_off
                and not (state.is_open or state.is_reported)
                and state.work == WAITING
                and state.last <= due
            ]

    # -- what becomes of it --------------------------------------------------------------------------------------------

    def note(self, series: str, seen: int | None = None, **changes: Any) -> None:
        """Writes the result of the work on a series. With ``seen``, its ``changes`` when the work began, it is dropped
        where something has come meanwhile."""
        with self._lock:
            state = self._states.get(series)
            if state is None or (seen is not None and (seen != self.changes(series))):
                return
            for name, value in changes.items():
                setattr(state, name, value)
            state.write(self._path / series)

    def remove(self, series: str) -> None:
        """Deletes a series that no transfer has open."""
        with self._lock:
            if self._transfers.get(series):
                return
            self._bytes -= _size(self._path / series)
            self._states.pop(series, None)
            self._held.pop(series, None)
            shutil.rmtree(self._path / series, ignore_errors=True)

    def transfer(self) -> Transfer:
        return Transfer(self, next(self._order))

    # -- for a Transfer ------------------------------------------------------------------------------------------------

    def write_draft(self, parts: Iterable[Any], needed_bytes: int) -> Path:
        """Raises NoRoomError, and what ``parts`` raises unless it is an OSError."""
        limits = self._limits
        free = free_bytes(self._path)
        if self._bytes + needed_bytes > limits.queue_gb * _GB:
            raise NoRoomError("the queue is full")
        if free is not None and free - needed_bytes < limits.free_disk_gb * _GB:
            raise NoRoomError("the disk is nearly full")
        draft = self._drafts / f"{secrets.token_hex(8)}.part"
        try:
            write_draft(draft, parts)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise NoRoomError("the disk cannot be written to") from error
        except BaseException:  # of the source
            draft.unlink(missing_ok=True)
            raise
        return draft

    def place(self, draft: Path, header: ObjectHeader, transfer: Transfer) -> bool:
        """Puts an object into its series; True where it is new or differs from the one that was there.

        Raises NoRoomError, OSError.
        """
        series = header.series_id
        path = self.objects_folder(series) / header.file_name
        with self._lock:
            state = self._open(series, transfer)
            if path.exists() and filecmp.cmp(path, draft, shallow=False):
                return False
            if not path.exists() and self.count(series) >= self._limits.series_objects:
                raise SeriesTooLargeError("its series has too many objects")
            if state.work != WAITING or state.is_reported:
                state.work, state.code, state.is_reported = WAITING, "", False
                state.write(self._path / series)
            size, is_more = draft.stat().st_size, not path.exists()
            self._bytes += size if is_more else size - path.stat().st_size
            place_durably(draft, path)
            self._held[series] = self.count(series) + is_more
            self._changes[series] = self.changes(series) + 1
            state.last = self._clock()
            return True

    def close(self, series: str, transfer: Transfer, is_whole: bool, quiet_since: float | None) -> None:
        """The transfer's part of the series has ended; ``is_whole``: as it should."""
        with self._lock:
            transfers = self._transfers.pop(series, set()) - {transfer}
            if transfers:
                self._transfers[series] = transfers
            state = self._states.get(series)
            if state is None:
                return
            held = self.count(series)
            if not is_whole:
                state.is_cut_off, state.held_at_cut = True, held
                self._cut_order[series] = next(self._order)
            elif state.is_cut_off and transfer.started > self._cut_order.get(series, 0):
                state.is_cut_off = not (transfer.is_new(series) or transfer.brought(series) >= state.held_at_cut)
            if is_whole and state.work not in (WAITING, DONE) and transfer.brought(series) >= held:
                state.work, state.code = WAITING, ""  # sent again on purpose
            state.is_open = bool(transfers)
            if is_whole or transfer.is_new(series):  # attempts that bring nothing do not put off that it is reported
                state.last = self._clock() if quiet_since is None else quiet_since
            state.write(self._path / series)
        _log.info("series %s: a transfer %s; images: %d", series, "ended" if is_whole else "was cut off", held)

    def _open(self, series: str, transfer: Transfer) -> SeriesState:
        folder, now = self._path / series, self._clock()
        if series not in self._states:
            for path in (folder, folder / _OBJECTS):
                path.mkdir(mode=0o700, exist_ok=True)
            self._states[series] = SeriesState(first=now, last=now)
        state = self._states[series]
        self._transfers.setdefault(series, set()).add(transfer)
        if not state.is_open:
            state.is_open = True
            state.write(folder)
            sync_folder(self._path)
        return state

    # -- at the start --------------------------------------------------------------------------------------------------

    def _load(self) -> None:
        shutil.rmtree(self._drafts, ignore_errors=True)
        self._drafts.mkdir(mode=0o700)
        for folder in series_folders(self._path):
            held = len(_objects(folder))
            if not held:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            changed = folder.stat().st_mtime
            state = read_state(folder) or SeriesState(first=changed, last=changed, is_open=True)
            if state.is_open:
                state.is_open, state.is_cut_off, state.held_at_cut = False, True, held
                state.write(folder)
            self._states[folder.name] = state
            self._held[folder.name] = held
        self._bytes = sum(_size(folder) for folder in series_folders(self._path))


class Transfer:
    """One association, or one look at a watched folder: brings objects of any number of series."""

    def __init__(self, incoming: IncomingFolder, started: int) -> None:
        self._incoming = incoming
        self.started = started
        """Its place in the order of events."""
        self._names: dict[str, set[str]] = {}
        self._new: set[str] = set()
        self._broken: set[str] = set()
        self._last: str | None = None
        """The series of the last object."""
        self._is_next_broken = False
        self._is_ended = False

    def is_new(self, series: str) -> bool:
        return series in self._new

    def brought(self, series: str) -> int:
        return len(self._names.get(series, ()))

    def receive(self, parts: Iterable[Any], needed_bytes: int, sop_uid: str | None = None) -> ObjectHeader:
        """Stores one object, given as bytes of a DICOM file; it is on the disk when this returns.

        ``sop_uid``: as the sender has announced it. Raises NoRoomError, and NotUsableError where it is no CT image,
        another one, or cannot be read; nothing is stored then.
        """
        try:
            draft = self._incoming.write_draft(parts, needed_bytes)
        except NoRoomError:
            self.fail()
            raise
        try:
            header = read_object_header(draft)
            if not header.is_ct:
                raise NotUsableError("it is no CT image")
            if sop_uid not in (None, header.sop_uid):
                raise NotUsableError("it is another object than was announced")
            try:
                is_new = self._incoming.place(draft, header, self)
            except (OSError, NoRoomError) as error:
                self._broken.add(header.series_id)
                self._names.setdefault(header.series_id, set())
                if isinstance(error, NoRoomError):
                    raise
                raise NoRoomError("the object cannot be stored") from error
        finally:
            draft.unlink(missing_ok=True)
        series = self._last = header.series_id
        self._names.setdefault(series, set()).add(header.file_name)
        if is_new:
            self._new.add(series)
        if self._is_next_broken:
            self._broken.add(series)
            self._is_next_broken = False
        return header

    def fail(self) -> None:
        """An object could not be stored, and nobody knows of which series. Senders send one series after the other, so
        it is that of the object before or of the one after."""
        if self._last is not None:
            self._broken.add(self._last)
        self._is_next_broken = True

    def end(self, is_normal: bool, quiet_since: float | None = None) -> None:
        """Once. ``quiet_since``: since when nothing has come; now, if None."""
        if self._is_ended:
            return
        self._is_ended = True
        for series in self._names:
            try:
                self._incoming.close(series, self, is_normal and series not in self._broken, quiet_since)
            except OSError:
                _log.exception("the state of series %s cannot be written", series)


def series_folders(incoming: Path) -> Iterator[Path]:
    """Those of all series, by id."""
    if incoming.is_dir():
        yield from sorted(path for path in incoming.iterdir() if path.is_dir() and not path.name.startswith("."))


def _objects(folder: Path) -> list[Path]:
    return list((folder / _OBJECTS).glob("*.dcm"))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in _objects(folder))
