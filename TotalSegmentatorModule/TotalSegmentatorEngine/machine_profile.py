"""What was measured on this machine: how fast its networks run, which runtime is the fastest, what memory they take.

A small JSON file in the user's cache folder. Measurements belong to one machine with one set of libraries (its
fingerprint): a file that another machine wrote counts as empty. The file holds numbers and digests alone, nothing of a
CT.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from .cpu_features import processor_name
from .model_folder import ModelFolder
from .system_memory import installed_memory

logger = logging.getLogger(__name__)

CACHE_VARIABLE = "TOTALSEGMENTATOR_CACHE"
_FILE = "machine.json"
_FORMAT = 1
_NEWEST_SHARE = 0.4
"""Weight of the newest measurement in a running mean: four jobs on a machine that was busy are forgotten after five on
an idle one."""
_TABLES = ("networks", "choices", "rates", "bytes")
_ARCHITECTURE = (
    *("architecture", "UNet_class_name", "UNet_base_num_features", "unet_max_num_features"),
    *("n_conv_per_stage_encoder", "n_conv_per_stage_decoder", "pool_op_kernel_sizes", "conv_kernel_sizes"),
)
"""Settings of plans in the new and the old format that decide what a network computes."""


def cache_folder() -> Path:
    """Where this program keeps measurements: the folder named by TOTALSEGMENTATOR_CACHE, else one per user."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return (
            Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "TotalSegmentatorModule" / "cache"
        )
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "TotalSegmentatorModule"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "TotalSegmentatorModule"


def architecture_key(folder: ModelFolder) -> str:
    """Names what a folder's networks compute and how much; folders with the same key take the same time a tile."""
    settings = {name: folder.settings[name] for name in _ARCHITECTURE if name in folder.settings}
    told = [settings, list(folder.patch_size), len(folder.labels) + 1, len(folder.checkpoints)]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class NetworkRecord:
    """What running one kind of network in one way has cost on this machine."""

    seconds_per_tile: float | None = None
    """Mean of the tiles after a job's first; None while there was no such."""
    first_tile_seconds: float | None = None
    """Of a job's first tile, which also pays for memory."""
    activation_bytes: int | None = None
    """Memory that a running tile takes beyond weights and its own input."""
    tiles_measured: int = 0


@cache
def machine_fingerprint() -> str:
    """Names this machine and its libraries, as far as they decide how long a network takes."""
    gigabytes = (installed_memory() or 0) / 1024**3
    told = (
        processor_name(),
        platform.machine(),
        str(_usable_cores()),
        str(round(gigabytes / 4)),  # what the system keeps for itself varies a little from start to start
        *(_version(package) for package in ("torch", "openvino", "numpy")),
    )
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


class MachineProfile:
    """The measurements of this machine. Empty where there are none yet or the file cannot be read.

    Changes are on disk after ``save``; what another process wrote meanwhile about other things stays.
    """

    def __init__(self, folder: Path | None = None, tables: dict[str, dict[str, Any]] | None = None) -> None:
        self._folder = folder
        self._tables = tables or {name: {} for name in _TABLES}
        self._changed: set[tuple[str, str]] = set()

    @classmethod
    def load(cls, folder: Path | None = None) -> MachineProfile:
        """The measurements in ``folder``, ``cache_folder()`` without one."""
        folder = folder or cache_folder()
        return cls(folder, _read(folder / _FILE))

    def save(self) -> None:
        """Writes what was remembered; where that is impossible, this machine is measured again another time."""
        if not self._changed or self._folder is None:
            return
        tables = _read(self._folder / _FILE)
        for table, key in self._changed:
            tables[table][key] = self._tables[table][key]
        try:
            _write(self._folder / _FILE, tables)
        except OSError as error:
            logger.info("measurements cannot be kept: %s", type(error).__name__)
            return
        self._tables = tables
        self._changed.clear()

    # -- networks --------------------------------------------------------------------------------------------------

    def network(self, key: str, runtime: str, precision: str, device: str) -> NetworkRecord | None:
        """``key`` is an ``architecture_key``, the rest as in a Plan."""
        fields = self._tables["networks"].get(_joined(key, runtime, precision, device))
        return None if fields is None else NetworkRecord(**fields)

    def networks_like(self, runtime: str, precision: str, device: str) -> dict[str, NetworkRecord]:
        """All networks that ran in this way, by their architecture key."""
        ending = _joined("", runtime, precision, device)
        return {
            name[: -len(ending)]: NetworkRecord(**fields)
            for name, fields in self._tables["networks"].items()
            if name.endswith(ending)
        }

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
        old = self.network(key, runtime, precision, device) or NetworkRecord()
        # a run of a few tiles says less about the pace than one of many
        share = _NEWEST_SHARE if tiles > 4 else _NEWEST_SHARE / 2
        record = dataclasses.replace(
            old,
            seconds_per_tile=_mixed(old.seconds_per_tile, seconds_per_tile, share),
            first_tile_seconds=_mixed(old.first_tile_seconds, first_tile_seconds, _NEWEST_SHARE),
            tiles_measured=old.tiles_measured + tiles,
        )
        self._set("networks", _joined(key, runtime, precision, device), dataclasses.asdict(record))

    def remember_activations(self, key: str, runtime: str, precision: str, device: str, count: int) -> None:
        """``count`` bytes were taken by a running tile. A larger measurement counts at once, a smaller one slowly:
        memory that another step had just given back may hide a part of it."""
        old = self.network(key, runtime, precision, device) or NetworkRecord()
        known = old.activation_bytes
        count = count if known is None else max(count, round(_mixed(known, count, _NEWEST_SHARE / 2)))
        record = dataclasses.replace(old, activation_bytes=count)
        self._set("networks", _joined(key, runtime, precision, device), dataclasses.asdict(record))

    # -- the fastest runtime ---------------------------------------------------------------------------------------

    def chosen_runtime(self, key: str, precision: str, device: str) -> str | None:
        """What a trial found to be the fastest; None before it."""
        return self._tables["choices"].get(_joined(key, precision, device))

    def remember_choice(self, key: str, precision: str, device: str, runtime: str) -> None:
        self._set("choices", _joined(key, precision, device), runtime)

    # -- everything else -------------------------------------------------------------------------------------------

    def rate(self, name: str) -> float | None:
        """Seconds a unit of the work ``name``; None before it was measured."""
        return self._tables["rates"].get(name)

    def remember_rate(self, name: str, units: float, seconds: float) -> None:
        """``units`` of the work ``name`` took ``seconds``; nothing is learnt of no work."""
        if units > 0 and seconds >= 0:
            self._set("rates", name, _mixed(self.rate(name), seconds / units, _NEWEST_SHARE))

    def bytes_of(self, name: str) -> int | None:
        """Memory that ``name`` takes, such as a process before its first job; None before it was measured."""
        return self._tables["bytes"].get(name)

    def remember_bytes(self, name: str, count: int) -> None:
        """As for activations, more counts at once and less slowly."""
        known = self.bytes_of(name)
        self._set("bytes", name, count if known is None else max(count, round(_mixed(known, count, _NEWEST_SHARE))))

    def _set(self, table: str, key: str, value: Any) -> None:
        self._tables[table][key] = value
        self._changed.add((table, key))


def _mixed(old: float | None, new: float | None, share: float) -> float | None:
    """Running mean in which the newest value has the weight ``share``."""
    if old is None or new is None:
        return old if new is None else new
    return (1 - share) * old + share * new


def _joined(*names: str) -> str:
    return "|".join(names)


# -- the file ----------------------------------------------------------------------------------------------------------


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The tables in the file, empty ones where it is absent, damaged or another machine's."""
    empty: dict[str, dict[str, Any]] = {name: {} for name in _TABLES}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if (content["format"], content["machine"]) != (_FORMAT, machine_fingerprint()):
            return empty
        return {name: {key: _VALUES[name](value) for key, value in content[name].items()} for name in _TABLES}
    except FileNotFoundError:
        return empty
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        logger.info("measurements of this machine cannot be read: %s", type(error).__name__)
        return empty


def _checked_network(fields: dict[str, Any]) -> dict[str, Any]:
    record = NetworkRecord(**fields)
    numbers = (record.seconds_per_tile, record.first_tile_seconds, record.activation_bytes, record.tiles_measured)
    if any(number is not None and not 0 <= number < 1e15 for number in numbers):
        raise ValueError("network")
    return fields


_VALUES: dict[str, Callable[[Any], Any]] = {
    "networks": _checked_network,
    "choices": str,
    "rates": float,
    "bytes": int,
}


def _write(path: Path, tables: dict[str, dict[str, Any]]) -> None:
    """At once: a process that reads meanwhile sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"format": _FORMAT, "machine": machine_fingerprint(), **tables}
    descriptor, name = tempfile.mkstemp(prefix=_FILE + ".", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=1, sort_keys=True)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
