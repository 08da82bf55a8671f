"""Makes an image slab by slab on several threads: NumPy lets other threads run while it computes."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_MOST_THREADS = 8


def in_slabs(
    make: Callable[[slice], None],
    rows: int,
    rows_at_once: int,
    on_slab: Callable[[float], None] = lambda fraction: None,
) -> None:
    """Calls ``make`` for each run of ``rows_at_once`` of the ``rows``, in any order.

    ``on_slab`` is called in this thread with the share that is done; what it or ``make`` raises ends the work, and is
    raised here when no slab is in work any more.
    """
    slabs = [slice(first, min(first + rows_at_once, rows)) for first in range(0, rows, rows_at_once)]
    threads = max(1, min(os.cpu_count() or 1, _MOST_THREADS, len(slabs)))
    with ThreadPoolExecutor(threads, thread_name_prefix="slabs") as pool:
        tasks = [pool.submit(make, slab) for slab in slabs]
        try:
            for slab, task in zip(slabs, tasks, strict=True):
                on_slab(slab.start / rows)
                task.result()
        finally:
            for task in tasks:
                task.cancel()
