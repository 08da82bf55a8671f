"""Plays Slicer while somebody scrolls: short bursts on all cores, at Slicer's own priority, beside a program.

``python bursty_process.py RESULT PRIORITY SESSION SCROLLS PROGRAM…`` runs PROGRAM to its end. PRIORITY: "inherited", or
"low" as start_in_group has it. SESSION: "own", as our processes have it, or "shared", which stands for desktops on
which one control group holds Slicer and its children. SCROLLS: "yes" or "no". RESULT gets JSON: the program's seconds
and exit status, and for each burst the milliseconds from when it was due until it was done.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from TotalSegmentatorModuleLib.background.process_group import start_in_group

SLICERS_NICENESS = 19
INTERVAL_SECONDS, BURST_SECONDS = 0.016, 0.004
"""A frame of a screen of 60 Hz; what a slice of 512 x 512 costs each core, of the same order."""


def _start(program: list[str], priority: str, session: str) -> subprocess.Popen:
    if (priority, session) == ("low", "own"):
        return start_in_group(program, os.environ)
    is_idle = priority == "low"
    rank: Callable[[], None] | None = (
        (lambda: os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))) if is_idle else None
    )
    return subprocess.Popen(program, start_new_session=session == "own", preexec_fn=rank)


def _burst(voxels: np.ndarray) -> None:
    begun = time.thread_time()
    while time.thread_time() - begun < BURST_SECONDS:
        np.add(voxels, 1.0, out=voxels)


def main(result: str, priority: str, session: str, scrolls: str, *program: str) -> None:
    os.setpriority(os.PRIO_PROCESS, 0, max(SLICERS_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    cores = os.cpu_count() or 1
    slices = [np.zeros((300, 300)) for _ in range(cores)]
    milliseconds: list[float] = []
    process = _start(list(program), priority, session)
    begun = time.monotonic()
    try:
        with ThreadPoolExecutor(cores) as pool:
            due = time.monotonic()
            while process.poll() is None:
                due = max(due + INTERVAL_SECONDS, time.monotonic())
                time.sleep(max(0.0, due - time.monotonic()))
                if scrolls == "yes":
                    list(pool.map(_burst, slices))
                    milliseconds.append(1000.0 * (time.monotonic() - due))
    finally:
        process.kill()
        status = process.wait()
    seconds = time.monotonic() - begun
    Path(result).write_text(json.dumps({"seconds": seconds, "status": status, "bursts": milliseconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
