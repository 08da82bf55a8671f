"""Makes an image slab by slab on several threads: NumPy lets other threads run while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from threading import Event

_MOST_THREADS = 8
_LISTENING_SECONDS = 0.2
"""``on_slab`` is called at least so often."""


def in_slabs(
    make: Callable[[slice], Iterator[None]],
    rows: int,
    rows_at_once: int,
    on_slab: Callable[[float], None] = lambda fraction: None,
) -> None:
    """Runs ``make`` for each run of ``rows_at_once`` of the ``rows``, in any order.

    ``make`` yields after each small step, where it may be stopped. ``on_slab`` is called in this thread with the share
    that is done, several times a second; what it or ``make`` raises ends the work, and is raised here when no slab is
    in work any more.
    """
    slabs = [slice(first, min(first + rows_at_once, rows)) for first in range(0, rows, rows_at_once)]
    threads = max(1, min(os.cpu_count() or 1, _MOST_THREADS, len(slabs)))
    with ThreadPoolExecutor(threads, thread_name_prefix="slabs") as pool:
        is_stopped = Event()
        tasks = [pool.submit(_run, make, slab, is_stopped) for slab in slabs]
        try:
            done = 0
            for slab, task in zip(slabs, tasks, strict=True):
                done = max(done, slab.start)
                on_slab(done / rows)
                while wait([task], _LISTENING_SECONDS).not_done:
                    done = max(done, _finished_rows(slabs, tasks))
                    on_slab(done / rows)
                task.result()
        finally:
            is_stopped.set()
            for task in tasks:
                task.cancel()


def _run(make: Callable[[slice], Iterator[None]], slab: slice, is_stopped: Event) -> None:
    for _step in make(slab):
        if is_stopped.is_set():
            return


def _finished_rows(slabs: Sequence[slice], tasks: Sequence[Future]) -> int:
    return sum(slab.stop - slab.start for slab, task in zip(slabs, tasks, strict=True) if task.done())
