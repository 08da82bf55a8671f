"""How the processes that Slicer starts leave the processor to Slicer.

On Linux Slicer gives itself the lowest priority (nice 19, vtkSlicerApplicationLogic,
SetCurrentThreadPriorityToBackground), which its children inherit: a worker on all cores would get as much of each core
as the main thread that scrolls. Two things rank below nice 19, and need no rights:

- the scheduling class *idle* (sched(7)), which the wake-up of any other process of the same group interrupts;
- a low weight of the process's group, where the kernel makes one of every session (sched(7), "The autogroup feature"):
  nice values, and the class *idle* as well, count only among the processes of one session.

Which of the two counts depends on the desktop: it may put all processes of an application into a control group, and
then there are no groups by sessions.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path

_VARIABLE = "TOTALSEGMENTATOR_BESIDE_SLICER"
_LOWEST = 19
GROUP_NICENESS = 5
"""Of a session: a third of the share of one at 0 (weights 335 and 1024, kernel/sched/core.c, sched_prio_to_weight). At
the lowest, 19, a job stands still beside any other program that computes on all cores: 0.7 % of a core was measured."""
_GROUP_FILE = "/proc/{}/autogroup"
_TRIES, _RETRY_SECONDS = 3, 0.12
"""The kernel lets an ordinary user change one group each tenth of a second (proc_sched_autogroup_set_nice)."""

_log = logging.getLogger(__name__)


def beside_slicer(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program of ours that Slicer starts, in a session of its own."""
    return {**environment, _VARIABLE: "1"}


def is_beside_slicer() -> bool:
    """Whether Slicer has started this process, or a process that Slicer has started."""
    return _VARIABLE in os.environ


def give_way() -> None:
    """Rank this process and all that it will start below Slicer, where Slicer has started it; anywhere else the user
    decides. Threads that run already keep their rank. What the system refuses is logged, and changes nothing else.

    On Windows the one that starts the process has done it.
    """
    if not is_beside_slicer() or sys.platform == "win32":
        return
    refused: list[str] = []
    try:
        os.nice(_LOWEST)  # the value is cut to the system's lowest
    except OSError as error:
        refused.append(f"nice: {error.strerror}")
    if hasattr(os, "SCHED_IDLE"):
        try:
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        except OSError as error:
            refused.append(f"scheduling class: {error.strerror}")
    refused += _lower_group(os.getpid())
    if refused:
        _log.warning("The priority could not be lowered, so Slicer may respond slowly: %s", "; ".join(refused))


def let_give_way(pid: int) -> None:
    """As ``give_way``, for a program of others that this process has just started in a session of its own: it has
    inherited all but the weight of its session."""
    if is_beside_slicer():
        refused = _lower_group(pid)
        if refused:
            _log.warning("The priority of a program could not be lowered: %s", "; ".join(refused))


def _lower_group(pid: int) -> list[str]:
    """What was refused; nothing where there are no groups by sessions."""
    path = Path(_GROUP_FILE.format(pid))
    for remaining in reversed(range(_TRIES)):
        try:
            if not path.exists() or _is_low(path.read_text(encoding="ascii")):
                break
            path.write_text(str(GROUP_NICENESS), encoding="ascii")
        except BlockingIOError as error:
            if not remaining:
                return [f"session: {error.strerror}"]
            time.sleep(_RETRY_SECONDS)
        except OSError as error:
            return [f"session: {error.strerror}"]
    return []


def _is_low(line: str) -> bool:
    """Of a line such as ``/autogroup-13 nice 0``; it is empty where the process belongs to no group of a session."""
    niceness = line.rpartition(" nice ")[2].strip()
    return not niceness or int(niceness) >= GROUP_NICENESS
