"""Which process owns a folder, and whether it still lives.

A process id alone is reused by the system sooner or later, so the start time belongs to the identity. The host belongs
to it as well: a home folder may be shared by several computers, and nothing here shows whether a process lives
over there.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

_STILL_ACTIVE = 259  # Windows, GetExitCodeProcess: STILL_ACTIVE
_ACCESS_DENIED = 5  # Windows, GetLastError: ERROR_ACCESS_DENIED
_QUERY_LIMITED = 0x1000  # Windows, OpenProcess: PROCESS_QUERY_LIMITED_INFORMATION

UNKNOWN_START = "unknown"
"""Start time of a process that exists but hides it (it belongs to another user)."""


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of one computer. ``started`` is opaque: only its equality means something."""

    pid: int
    started: str
    host: str


@lru_cache(maxsize=1)
def this_process() -> ProcessIdentity:
    """The identity of the running process."""
    return ProcessIdentity(os.getpid(), start_time(os.getpid()) or UNKNOWN_START, platform.node())


def write_identity(file: Path, identity: ProcessIdentity) -> None:
    """Raises OSError."""
    file.write_text(json.dumps(dataclasses.asdict(identity)), encoding="utf-8")


def read_identity(file: Path) -> ProcessIdentity | None:
    """None where the file is missing, cannot be read or holds no identity."""
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        return ProcessIdentity(int(fields["pid"]), str(fields["started"]), str(fields["host"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_here(identity: ProcessIdentity) -> bool:
    """Whether the process belongs to this computer, so that ``is_alive`` can find out."""
    return identity.host == platform.node()


def is_alive(identity: ProcessIdentity) -> bool:
    """False only when it is certain that the process has ended: no such pid, or one that started at another time.

    A process of another computer counts as alive; so does one whose start time is unknown.
    """
    if not is_here(identity):
        return True
    started = start_time(identity.pid)
    if started is None:
        return False
    return UNKNOWN_START in (started, identity.started) or started == identity.started


def start_time(pid: int) -> str | None:
    """Start time of the process ``pid`` as an opaque text, ``UNKNOWN_START``, or None when there is no such process."""
    if pid <= 0:
        return None
    if os.name == "nt":
        return _start_time_windows(pid)
    if sys.platform.startswith("linux"):
        return _start_time_linux(pid)
    return _start_time_ps(pid)


def _start_time_linux(pid: int) -> str | None:
    """Boot id and field 22 of /proc/<pid>/stat (ticks since boot, proc(5)). A zombie has ended."""
    try:
        text = Path("/proc/{}/stat".format(pid)).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    except OSError:
        return UNKNOWN_START
    fields = text[text.rfind(")") + 2 :].split()  # the name before it may hold blanks and brackets
    if fields[0] in ("Z", "X", "x"):
        return None
    return "{}:{}".format(boot_id(), fields[19])


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Linux: another one after each start of a computer, random(4); elsewhere empty."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _start_time_ps(pid: int) -> str | None:
    """macOS and other Unix systems: the start time that ``ps`` prints (not run here)."""
    answer = subprocess.run(
        ["/bin/ps", "-o", "state=", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        env={"LC_ALL": "C", "TZ": "UTC"},
        check=False,
    )
    state, _, started = answer.stdout.decode("ascii", "replace").strip().partition(" ")
    if not state or state.startswith("Z"):
        return None
    return started.strip() or UNKNOWN_START


def _start_time_windows(pid: int) -> str | None:
    """Windows: the creation time of the process, by the Win32 calls themselves (not run here)."""
    import ctypes
    from ctypes import wintypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    kernel.OpenProcess.restype = wintypes.HANDLE
    handle = kernel.OpenProcess(_QUERY_LIMITED, False, wintypes.DWORD(pid))
    if not handle:
        return UNKNOWN_START if ctypes.get_last_error() == _ACCESS_DENIED else None  # type: ignore[attr-defined]
    handle = wintypes.HANDLE(handle)
    try:
        status = wintypes.DWORD()
        if kernel.GetExitCodeProcess(handle, ctypes.byref(status)) and status.value != _STILL_ACTIVE:
            return None
        created, ended, in_kernel, in_user = (wintypes.FILETIME() for _ in range(4))
        times = (ctypes.byref(created), ctypes.byref(ended), ctypes.byref(in_kernel), ctypes.byref(in_user))
        if not kernel.GetProcessTimes(handle, *times):
            return UNKNOWN_START
        return str((created.dwHighDateTime << 32) | created.dwLowDateTime)
    finally:
        kernel.CloseHandle(handle)
