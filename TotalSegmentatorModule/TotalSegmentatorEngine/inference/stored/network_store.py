"""The folder of stored networks: bounded in size, for this user alone; what is damaged or of others is thrown away.

Nothing here ever fails a job: a network that cannot be kept or read is compiled anew.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from TotalSegmentatorWire.disk_space import free_bytes
from TotalSegmentatorWire.user_folders import STORED_NETWORKS, cache_folder

from TotalSegmentatorEngine.inference.stored.network_file import (
    DRAFT,
    StoredNetworks,
    UnusableFileError,
    read_network_file,
    write_network_file,
)
from TotalSegmentatorEngine.inference.stored.weights_digest import SEEN_WEIGHTS, weights_digest

logger = logging.getLogger(__name__)

MOST_BYTES = 2 * 1024**3
"""Of all files; the networks of a model of five parts take about 0.8 GB."""
LEAST_FREE_BYTES = 2 * 1024**3
"""What the disk must have left beside a new file."""
_SUFFIX = ".network"
_OLD_DRAFT_SECONDS = 3600.0
_NAME = re.compile(r"[0-9a-f]{32}\.network")


class NetworkStore:
    """The files in ``folder``, by keys of 32 hexadecimal digits."""

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    @classmethod
    def of_user(cls) -> NetworkStore | None:
        """In the user's cache folder; None where the system knows none."""
        try:
            return cls(cache_folder() / STORED_NETWORKS)
        except RuntimeError:
            return None

    def holds(self, key: str) -> bool:
        return os.path.isfile(self._path(key))  # noqa: PTH113 - Path.is_file raises where the folder may not be searched

    def load(self, key: str) -> StoredNetworks | None:
        """None where there is none that can be used; such a one is removed."""
        path = self._path(key)
        try:
            stored = read_network_file(path, key)
        except FileNotFoundError:
            return None
        except (UnusableFileError, OSError, ValueError) as error:  # the last: a file of no length cannot be mapped
            logger.warning("a stored network cannot be used (%s) and is removed", _reason(error))
            self.remove(key)
            return None
        with suppress(OSError):  # read-only: then it is not known which one was used last
            os.utime(path)
        return stored

    def save(self, key: str, stored: StoredNetworks) -> bool:
        """Whether it was kept. What was used longest ago makes room."""
        needed = stored.head.nbytes + sum(map(len, stored.compiled))
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._remove_old_drafts()
            free = free_bytes(self._folder)
            if needed > self._most_bytes or free is None or free - needed < LEAST_FREE_BYTES:
                logger.info("there is no room to keep a network of %.0f MB", needed / 1e6)
                return False
            self._make_room(needed)
            write_network_file(self._path(key), key, stored)
        except OSError as error:
            logger.info("a network cannot be kept: %s", _reason(error))
            return False
        return True

    def remove(self, key: str) -> None:
        with suppress(OSError):  # in use on Windows, or read-only: it is refused another time
            self._path(key).unlink()

    def digest_of(self, files: Sequence[Path]) -> str:
        """Of the content of weight files, which are read once after each change. Raises OSError."""
        return weights_digest(files, self._folder / SEEN_WEIGHTS)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{_SUFFIX}"

    def _make_room(self, needed: int) -> None:
        files = sorted(
            (path.stat().st_mtime_ns, path.stat().st_size, path) for path in self._folder.iterdir() if _is_ours(path)
        )
        kept = sum(size for _time, size, _path in files)
        for _time, size, path in files:
            if kept + needed <= self._most_bytes:
                return
            path.unlink()
            kept -= size

    def _remove_old_drafts(self) -> None:
        """Of processes that were killed while they wrote."""
        for draft in self._folder.glob(f"{DRAFT}*"):
            with suppress(OSError):
                if time.time() - draft.stat().st_mtime > _OLD_DRAFT_SECONDS:
                    draft.unlink()


def _is_ours(path: Path) -> bool:
    return _NAME.fullmatch(path.name) is not None


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, UnusableFileError) else type(error).__name__
