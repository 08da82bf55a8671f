"""A program in a process group of its own, and its end with everything that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.processor_share import beside_slicer


def start_in_group(command: Sequence[str], env: Mapping[str, str], **options: Any) -> subprocess.Popen:
    """Popen in a group of its own; on Windows without a console and at a lower priority, elsewhere a program of ours
    lowers its own (processor_share). Raises OSError."""
    if os.name == "nt":
        # the lower priority keeps Slicer responsive while all cores compute
        priority = subprocess.BELOW_NORMAL_PRIORITY_CLASS
        group = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP | priority}
    else:
        group = {"start_new_session": True}
    return subprocess.Popen(list(command), env=beside_slicer(env), **group, **options)


def kill_group(process: subprocess.Popen, others: Iterable[int] = ()) -> None:
    """End the process, its group and the processes ``others`` with theirs, at once and without waiting.

    Also useful when the process has ended by itself: what it started may live on in its group.
    """
    for pid in {process.pid, *others}:
        if os.name == "nt":
            _kill_windows(pid)
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # nobody is left in the group
                os.killpg(pid, signal.SIGKILL)


def descendants_with_groups(pid: int) -> list[int]:
    """Processes that descend from ``pid`` and lead a group of their own, which killing its group would spare.

    Windows needs no such list: there a tree is killed whole.
    """
    if os.name == "nt":
        return []
    children: dict[int, list[tuple[int, int]]] = {}
    for child, parent, group in _processes():
        children.setdefault(parent, []).append((child, group))
    found, waiting = [], [pid]
    while waiting:
        for child, group in children.get(waiting.pop(), []):
            waiting.append(child)
            if child == group:
                found.append(child)
    return found


def _processes() -> list[tuple[int, int, int]]:
    """Id, parent and group of every process; empty where the system does not tell."""
    if Path("/proc/self/stat").exists():
        return [row for folder in Path("/proc").glob("[0-9]*") if (row := _from_proc(folder)) is not None]
    try:
        listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,pgid="], capture_output=True, text=True, check=False)
    except OSError:
        return []
    rows = [line.split() for line in listing.stdout.splitlines()]
    return [(int(row[0]), int(row[1]), int(row[2])) for row in rows if len(row) == 3]


def _from_proc(folder: Path) -> tuple[int, int, int] | None:
    try:
        fields = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()
        return int(folder.name), int(fields[1]), int(fields[2])
    except (OSError, ValueError, IndexError):  # it has ended meanwhile
        return None


def _kill_windows(pid: int) -> None:
    """The whole tree below ``pid`` (not run here)."""
    subprocess.Popen(
        ["taskkill", "/PID", str(pid), "/T", "/F"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=subprocess.CREATE_NO_WINDOW,
    )
