"""Lets a job be cancelled while a library is at work that cannot be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Result = TypeVar("Result")

_POLL_SECONDS = 0.05


def listening(work: Callable[[], Result], listen: Callable[[], None]) -> Result:
    """What ``work`` returns or raises. It runs in a thread; ``listen`` is called here several times a second.

    What ``listen`` raises is raised at once; ``work`` then goes on to its end, and what it makes is dropped. So it must
    take seconds at most, change nothing that others use, and call what lets other threads run.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="listening")
    try:
        task = pool.submit(work)
        while wait([task], _POLL_SECONDS).not_done:
            listen()
        return task.result()
    finally:
        pool.shutdown(wait=False)
