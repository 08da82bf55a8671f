"""Peak memory of a process and all its descendants, sampled from /proc while they run (Linux)."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

INTERVAL_SECONDS = 0.2
_PROPORTIONAL_SECONDS = 1.0
"""How often at most the proportional sizes of several processes are asked for: reading one walks through all pages, and
would slow down the program that is measured."""
_PROC = Path("/proc")
_HAS_CHILDREN_LISTS = next(_PROC.glob("self/task/*/children"), None) is not None
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class TreeMemory:
    """Samples from ``start`` to ``stop``; what processes share counts once (proportional set size).

    ``peak_bytes`` is the largest sum over the tree at one moment, ``peak_of_one`` the largest of a single process;
    both are 0 where the system has no /proc.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_ended, daemon=True)
        self.peak_bytes = 0
        self.peak_of_one = 0
        self._next_proportional = 0.0

    def start(self) -> TreeMemory:
        if sys.platform.startswith("linux"):
            self._thread.start()
        return self

    def stop(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def restart(self) -> None:
        """Forget the peaks so far."""
        self.peak_bytes = self.peak_of_one = 0

    def _sample_until_ended(self) -> None:
        while not self._ended.wait(INTERVAL_SECONDS):
            self._sample()

    def _sample(self) -> None:
        tree = descendants(self._pid)
        resident = {pid: _resident_bytes(pid) for pid in tree}
        self.peak_of_one = max(self.peak_of_one, *resident.values())
        if len(tree) == 1:
            # what the system noted itself holds between two samples, too
            self.peak_bytes = max(self.peak_bytes, _peak_resident_bytes(self._pid))
            self.peak_of_one = max(self.peak_of_one, self.peak_bytes)
            return
        # the proportional size is never above the resident one: asked only where it can raise the peak
        if sum(resident.values()) <= self.peak_bytes or time.monotonic() < self._next_proportional:
            return
        self._next_proportional = time.monotonic() + _PROPORTIONAL_SECONDS
        self.peak_bytes = max(self.peak_bytes, sum(_proportional_bytes(pid) for pid in tree))


def descendants(pid: int) -> list[int]:
    """``pid`` and the processes below it."""
    children = _children if _HAS_CHILDREN_LISTS else _children_by_parent().get
    found = [pid]
    for member in found:
        found.extend(children(member) or [])
    return found


def _children(pid: int) -> list[int]:
    """From the lists that most kernels keep, which is far less work than to look at every process of the machine."""
    found: list[int] = []
    for lists in (_PROC / str(pid) / "task").glob("*/children"):
        try:
            found += map(int, lists.read_text().split())
        except OSError:
            continue  # the thread has ended meanwhile
    return found


def _children_by_parent() -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it has ended meanwhile
        children.setdefault(parent, []).append(int(folder.name))
    return children


def _resident_bytes(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _peak_resident_bytes(pid: int) -> int:
    """The most that a process ever had in memory, since it began or was last a program of another name."""
    try:
        text = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("VmHWM:"))


def _proportional_bytes(pid: int) -> int:
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return _resident_bytes(pid)
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
