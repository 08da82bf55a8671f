"""Runs the program in a child process, and again where something has ended it that was not the user.

A CT can end the process that reads or segments it: a decoder crashes, or the system ends the process that has taken the
most memory. No code in that process can prevent it. The claim of the CT then counts one dead owner more; such CTs come
last, alone, and fail at last (running/run_case.py). This parent process imports next to nothing.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

CHILD_VARIABLE = "TOTALSEGMENTATOR_BATCH_CHILD"
"""Set in the child: the parent's process id, and when the run began in seconds since 1970."""
_MOST_RESTARTS = 4
"""In succession, without a further record: more than a CT needs to be known as the cause."""
_BY_THE_USER = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
_POLL_SECONDS = 1.0


def run_guarded(output: str) -> int | None:
    """The exit status of this program's own command line, run in a child process; None in the child itself, and on
    Windows, where nothing tells a crash from other ends. ``output``: the folder of the results."""
    if os.name == "nt":
        return None
    if CHILD_VARIABLE in os.environ:
        _end_with_parent()
        return None
    environment = os.environ | {CHILD_VARIABLE: f"{os.getpid()} {time.time()}"}
    records, restarts = _records(output), 0
    while True:
        ended_by = _run_child(environment)
        if ended_by >= 0:
            return ended_by
        number = signal.Signals(-ended_by)
        now = _records(output)
        restarts = 1 if now != records else restarts + 1
        records = now
        if number in _BY_THE_USER or restarts > _MOST_RESTARTS:
            return 128 + number
        sys.stderr.write(
            f"\nThe process was ended by the signal {number.name}, perhaps for a CT that is damaged or too large. "
            "The run goes on; the CTs that it was at come last.\n"
        )


def seconds_since_begin() -> float:
    """Since the run began, in this process or in one before it that has ended."""
    words = os.environ.get(CHILD_VARIABLE, "").split()
    return max(time.time() - float(words[1]), 0.0) if len(words) == 2 else 0.0


def _run_child(environment: dict[str, str]) -> int:
    """Its return code. Ctrl+C reaches the child by itself; what is sent to this process alone is passed on."""
    child = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env=environment)
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM)),
    }
    try:
        return child.wait()
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _records(output: str) -> int:
    try:
        return sum(1 for _ in Path(output).glob("*/done.json"))
    except OSError:
        return 0


def _end_with_parent() -> None:
    """A thread asks this process to end when its parent has been killed."""
    parent = int(os.environ[CHILD_VARIABLE].split()[0])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    if os.getppid() == parent:  # a process further down has inherited the variable
        threading.Thread(target=watch, name="parent-watch", daemon=True).start()
