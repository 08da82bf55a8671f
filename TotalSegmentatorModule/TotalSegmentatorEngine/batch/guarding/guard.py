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
from contextlib import suppress

CHILD_VARIABLE = "TOTALSEGMENTATOR_BATCH_CHILD"
"""Set in the child: the parent's process id, when the run began in seconds since 1970, and the end of a pipe into which
the child writes when it has finished a CT. The records in the output folder would not tell: other processes write them,
too, and a CT that is done again has one already."""
MOST_RESTARTS = 4
"""In succession, of processes that have finished no CT: more than a CT needs to be known as the cause."""
_BY_THE_USER = frozenset(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
_POLL_SECONDS = 1.0
_INTERRUPT_SECONDS = 0.3
"""After which the child gets a SIGINT again: in time for it to know that it is the same (command_run.py), and not so
soon that it disturbs the answer to the first."""


def run_guarded() -> int | None:
    """The exit status of this program's own command line, run in a child process; None in the child itself, and on
    Windows, where nothing tells a crash from other ends."""
    if os.name == "nt":
        return None
    if CHILD_VARIABLE in os.environ:
        _end_with_parent()
        return None
    finished, reports = os.pipe()
    for end in (finished, reports):
        os.set_blocking(end, False)
    environment = os.environ | {CHILD_VARIABLE: f"{os.getpid()} {time.time()} {reports}"}
    restarts = 0
    while True:
        ended_by = _run_child(environment, reports)
        if ended_by >= 0:
            return ended_by
        number = signal.Signals(-ended_by)
        restarts = 1 if _has_finished_one(finished) else restarts + 1
        if number in _BY_THE_USER or restarts > MOST_RESTARTS:
            return 128 + number
        sys.stderr.write(
            f"\nThe process was ended by the signal {number.name}, perhaps for a CT that is damaged or too large. "
            "The run goes on; the CTs that it was at come last.\n"
        )


def seconds_since_begin() -> float:
    """Since the run began, in this process or in one before it that has ended."""
    words = os.environ.get(CHILD_VARIABLE, "").split()
    return max(time.time() - float(words[1]), 0.0) if len(words) == 3 else 0.0


def report_finished() -> None:
    """Called in the child when a CT has its record: what ends the process later is another CT's doing."""
    words = os.environ.get(CHILD_VARIABLE, "").split()
    if len(words) == 3 and os.getppid() == int(words[0]):
        with suppress(OSError):  # the pipe is full of such reports, or the parent has been killed
            os.write(int(words[2]), b".")


def _has_finished_one(reports: int) -> bool:
    """Reads all that has been reported."""
    has_finished = False
    with suppress(BlockingIOError):
        while os.read(reports, 1 << 16):
            has_finished = True
    return has_finished


def _run_child(environment: dict[str, str], reports: int) -> int:
    """Its return code. What is sent to this process alone is passed on; Ctrl+C reaches the child by itself, too."""
    child = subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env=environment, pass_fds=(reports,))

    def interrupt(*_signal: object) -> None:
        later = threading.Timer(_INTERRUPT_SECONDS, child.send_signal, [signal.SIGINT])
        later.daemon = True
        later.start()

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, interrupt),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: child.send_signal(signal.SIGTERM)),
    }
    try:
        return child.wait()
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _end_with_parent() -> None:
    """A thread asks this process to end when its parent has been killed."""
    parent = int(os.environ[CHILD_VARIABLE].split()[0])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    if os.getppid() == parent:  # a process further down has inherited the variable
        threading.Thread(target=watch, name="parent-watch", daemon=True).start()
