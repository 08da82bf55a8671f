"""What was measured on this machine: how fast its networks run, which runtime is the fastest, what memory they take.

A small JSON file in the user's cache folder. Measurements belong to one machine with one set of libraries: its
fingerprint stands in the file's name, so that machines which share a home folder keep apart. The file holds numbers and
digests alone, nothing of a CT.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import math
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.messages.options import RUNTIMES
from TotalSegmentatorWire.user_folders import cache_folder

from TotalSegmentatorEngine.machine.cpu_features import processor_name
from TotalSegmentatorEngine.machine.memory import installed_memory
from TotalSegmentatorEngine.machine.paces import MOST_SECONDS, Measured, checked_measured, pace_of, with_newest

logger = logging.getLogger(__name__)

_FORMAT = 1
_NEWEST_SHARE = 0.4
"""Weight of the newest measurement of memory in a running mean."""
_LARGEST_FILE = 4 * 1024**2
"""Bytes; some thousand networks. A longer file was not written by this program."""
_MOST_BYTES = 2**44
_MOST_TILES = 2**53
"""Larger numbers in the file are no measurements."""
LOCK_SECONDS = 1.0


@dataclass(frozen=True)
class NetworkRecord:
    """What running one kind of network with one runtime and precision has cost on this machine."""

    seconds_per_tile: float | None = None
    """Of the tiles after a job's first; None while there was no such."""
    first_tile_seconds: float | None = None
    """Of a job's first tile, which also pays for memory."""
    activation_bytes: int | None = None
    """Memory that a running tile takes beyond weights and its own input."""
    tiles_measured: int = 0


@cache
def machine_fingerprint() -> str:
    """Names this machine and its libraries, as far as they decide how long a network takes."""
    gigabytes = (installed_memory() or 0) / 1024**3
    parts = (
        processor_name(),
        platform.machine(),
        str(_usable_cores()),
        str(round(gigabytes / 4)),  # what the system keeps for itself varies a little from start to start
        *(_version(package) for package in ("torch", "openvino", "numpy")),
    )
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return str(metadata.version(package))  # None where an installation is damaged
    except metadata.PackageNotFoundError:
        return "none"


class MachineProfile:
    """The measurements of this machine. Empty where there are none yet or the file cannot be read.

    Changes are on disk after ``save``; what another process wrote meanwhile about other things stays. Nothing is
    learnt of durations and sizes that cannot be: negative or not finite.
    """

    def __init__(self, path: Path | None = None) -> None:
        """With the measurements in the file ``path``; without one, nothing is kept."""
        self._path = path
        self._tables = _no_tables() if path is None else _read(path)
        self._changed: set[tuple[str, str]] = set()
        self._of_this_job: set[str] = set()

    @classmethod
    def load(cls, folder: Path | None = None) -> MachineProfile:
        """The measurements in ``folder``, ``cache_folder()`` without one."""
        try:
            folder = folder or cache_folder()
        except RuntimeError:
            logger.info("there is no folder for measurements of this machine")
            return cls()
        return cls(folder / f"machine-{machine_fingerprint()}.json")

    def save(self) -> None:
        """Ends a job, and writes what was remembered; where that is impossible, this machine is measured again another
        time."""
        self._of_this_job.clear()
        self.write()

    def write(self) -> None:
        """Writes what was remembered so far, in the middle of a job."""
        if not self._changed or self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._path.with_suffix(".lock")):
                # what this process knew counts, too: the file may have been damaged since
                tables = {name: {**self._tables[name], **entries} for name, entries in _read(self._path).items()}
                for table, key in self._changed:
                    tables[table][key] = self._tables[table][key]
                _write(self._path, tables)
        except OSError as error:
            logger.info("measurements cannot be kept: %s", type(error).__name__)
            return
        self._tables = tables
        self._changed.clear()

    # -- networks --------------------------------------------------------------------------------------------------

    def network(self, key: str, runtime: str, precision: str, device: str) -> NetworkRecord | None:
        """``key`` is an ``architecture_key``, the rest as in a Plan."""
        place = _joined(key, runtime, precision, device)
        record = self._tables["networks"].get(place)
        if record is None:
            return None
        return dataclasses.replace(
            record,
            seconds_per_tile=self.rate(_tile_rate(place)),
            first_tile_seconds=self.rate(_first_tile_rate(place)),
        )

    def remember_network(
        self,
        key: str,
        runtime: str,
        precision: str,
        device: str,
        seconds_per_tile: float | None,
        first_tile_seconds: float,
        tiles: int,
    ) -> None:
        """One run of ``tiles`` tiles; ``seconds_per_tile`` is the mean without the first, None where it was alone."""
        if not (_is_measure(first_tile_seconds) and _is_measure(seconds_per_tile or 0.0)):
            return
        place = _joined(key, runtime, precision, device)
        old = self._tables["networks"].get(place, NetworkRecord())
        self._set("networks", place, dataclasses.replace(old, tiles_measured=old.tiles_measured + int(tiles)))
        self.remember_rate(_first_tile_rate(place), 1, first_tile_seconds)
        if seconds_per_tile is not None:
            others = max(tiles - 1, 1)
            self.remember_rate(_tile_rate(place), others, others * seconds_per_tile)

    def remember_trial(self, key: str, runtime: str, precision: str, device: str, tiles: float, seconds: float) -> None:
        """A trial ran a part of a tile, a share ``tiles`` of its voxels: the pace until more was measured."""
        self.remember_rate(_tile_rate(_joined(key, runtime, precision, device)), tiles, seconds)

    def remember_activations(self, key: str, runtime: str, precision: str, device: str, count: int) -> None:
        """``count`` bytes were taken by a running tile. A larger measurement counts at once, a smaller one slowly:
        memory that another step had just given back may hide a part of it."""
        if not _is_measure(count):
            return
        place = _joined(key, runtime, precision, device)
        old = self._tables["networks"].get(place, NetworkRecord())
        record = dataclasses.replace(old, activation_bytes=_grown(old.activation_bytes, count, _NEWEST_SHARE / 2))
        self._set("networks", place, record)

    # -- the fastest runtime ---------------------------------------------------------------------------------------

    def chosen_runtime(self, key: str, precision: str, device: str) -> str | None:
        """What a trial found to be the fastest; None before it."""
        return self._tables["choices"].get(_joined(key, precision, device))

    def remember_choice(self, key: str, precision: str, device: str, runtime: str) -> None:
        self._set("choices", _joined(key, precision, device), runtime)

    # -- everything else -------------------------------------------------------------------------------------------

    def rate(self, name: str, usual: float | None = None) -> float | None:
        """Seconds a unit of the work ``name``. Before it was measured on more than a trifle, ``usual``, which is what
        an ordinary computer takes; without that, None before it was measured at all."""
        return pace_of(self._tables["rates"].get(name, ()), usual)

    def remember_rate(self, name: str, units: float, seconds: float) -> None:
        """``units`` of the work ``name`` took ``seconds``; nothing is learnt of no work. What one job measures several
        times, until ``save``, is one measurement: if the computer was busy, all of it is an outlier."""
        if not (units > 0 and _is_measure(units) and _is_measure(seconds)):
            return
        measured = self._tables["rates"].get(name, ())
        if name in self._of_this_job:
            *measured, (units_before, seconds_before) = measured
            units, seconds = units + units_before, seconds + seconds_before
        self._of_this_job.add(name)
        self._set("rates", name, with_newest(measured, units, seconds))

    def bytes_of(self, name: str) -> int | None:
        """Memory that ``name`` takes, such as a process before its first job; None before it was measured."""
        return self._tables["bytes"].get(name)

    def remember_bytes(self, name: str, count: int) -> None:
        """As for activations, more counts at once and less slowly."""
        if _is_measure(count):
            self._set("bytes", name, _grown(self.bytes_of(name), count, _NEWEST_SHARE))

    def _set(self, table: str, key: str, value: Any) -> None:
        self._tables[table][key] = value
        self._changed.add((table, key))


def _is_measure(value: float) -> bool:
    return math.isfinite(value) and value >= 0


def _grown(old: int | None, new: int, share: float) -> int:
    """The new count if it is larger, else one that comes nearer to it."""
    return int(new) if old is None else max(int(new), round((1 - share) * old + share * new))


def _joined(*names: str) -> str:
    return "|".join(names)


def _tile_rate(place: str) -> str:
    return f"tile|{place}"


def _first_tile_rate(place: str) -> str:
    return f"first tile|{place}"


# -- what the file may hold --------------------------------------------------------------------------------------------


def _no_tables() -> dict[str, dict[str, Any]]:
    return {name: {} for name in _CHECKED}


def _checked_number(value: Any, most: float, kind: type) -> Any:
    """``value`` if it is a number of the kind from 0 to ``most``; raises ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, kind | int) or not 0 <= value <= most:
        raise ValueError("no measurement")
    return value


def _checked_network(fields: Any) -> NetworkRecord:
    """Its times are kept with the rates. Earlier programs wrote them here, and counted the making of labels as the
    last tile's: such times are not used."""
    record = NetworkRecord(**fields)
    _checked_number(record.tiles_measured, _MOST_TILES, int)
    if record.activation_bytes is not None:
        _checked_number(record.activation_bytes, _MOST_BYTES, int)
    for seconds in (record.seconds_per_tile, record.first_tile_seconds):
        if seconds is not None:
            _checked_number(seconds, MOST_SECONDS, float)
    return dataclasses.replace(record, seconds_per_tile=None, first_tile_seconds=None)


def _checked_rate(value: Any) -> tuple[Measured, ...] | None:
    """None for what earlier programs wrote: a mean, of who knows what."""
    return None if isinstance(value, float | int) and not isinstance(value, bool) else checked_measured(value)


def _checked_choice(runtime: Any) -> str:
    if runtime not in RUNTIMES or runtime == "auto":
        raise ValueError("no runtime")
    return runtime


_CHECKED: dict[str, Callable[[Any], Any]] = {
    "networks": _checked_network,
    "choices": _checked_choice,
    "rates": _checked_rate,
    "bytes": lambda value: _checked_number(value, _MOST_BYTES, int),
}
"""The tables; each function gives a value as it is kept in memory or None for one that is not used, or raises TypeError
or ValueError."""


# -- the file ----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The tables in the file, without the entries that are damaged; empty ones where the whole file is."""
    tables = _no_tables()
    try:
        if not path.is_file():
            return tables
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("too long")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        logger.info("measurements of this machine cannot be read: %s", type(error).__name__)
        return tables
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        return tables
    for name, checked in _CHECKED.items():
        entries = content.get(name)
        for key, value in entries.items() if isinstance(entries, dict) else ():
            try:
                kept = checked(value)
            except (TypeError, ValueError):
                logger.info("a measurement of this machine is damaged and not used")
                continue
            if kept is not None:
                tables[name][key] = kept
    return tables


def _write(path: Path, tables: dict[str, dict[str, Any]]) -> None:
    """At once: a process that reads meanwhile sees the old file or the new one. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=path.name + ".", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"format": _FORMAT, **tables}, stream, default=dataclasses.asdict, indent=1, sort_keys=True)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Waits until no other process holds the lock file ``path``. Where that takes long, or the file system knows no
    locks, goes on without: the worst that can happen is that something is measured again."""
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        lock.acquire(LOCK_SECONDS, poll_interval=0.01)
    except (Timeout, NotImplementedError):
        logger.info("measurements are written without a lock")
    try:
        yield
    finally:
        lock.release()
