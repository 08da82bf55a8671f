"""Dask imports this in each worker process as it starts, and calls ``dask_setup``."""

from __future__ import annotations

import logging
import signal
from typing import Any


def dask_setup(worker: Any) -> None:
    """Ctrl+C in a terminal reaches all its processes; a worker ends when it is told to by the one that started it.

    What libraries and Dask log goes nowhere: it may quote paths.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    logging.getLogger().addHandler(logging.NullHandler())
