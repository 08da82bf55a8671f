"""Lets a thread take only the time of the processor that the other threads of this process leave."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

_NICER = 10
"""A tenth of the share of a thread that is not (kernel/sched/core.c, sched_prio_to_weight)."""
_LOWEST = 19


def step_back() -> None:
    """The thread that calls this ranks below the others from here on; it cannot come back. Linux alone gives threads
    priorities of their own in this way (setpriority(2), "C library/kernel differences")."""
    if not sys.platform.startswith("linux"):
        return
    thread = threading.get_native_id()
    with suppress(OSError):  # then it ranks as before
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + _NICER, _LOWEST))
