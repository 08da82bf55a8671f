"""Dask imports this in each worker process as it starts, and calls ``dask_setup``."""

from __future__ import annotations

import logging
import os
import signal
from typing import Any

CPUS_VARIABLE = "TOTALSEGMENTATOR_WORKER_CPUS"
"""Numbers of the CPUs that the worker may use, with commas."""


def dask_setup(worker: Any) -> None:
    """Ctrl+C in a terminal reaches all its processes; a worker ends when it is told to by the one that started it.

    What libraries and Dask log goes nowhere: it may quote paths.
    """
    cpus = os.environ.get(CPUS_VARIABLE)
    if cpus:
        os.sched_setaffinity(0, [int(cpu) for cpu in cpus.split(",")])  # and of the threads that start from here
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger().addHandler(logging.NullHandler())
