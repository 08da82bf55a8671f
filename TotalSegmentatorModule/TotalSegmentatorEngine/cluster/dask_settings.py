"""Dask's settings, from here alone: files and environment variables of the user's other programs don't change a run.

Dask reads ``~/.config/dask`` and ``DASK_...`` variables when it is imported; it writes none of them.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

_SETTINGS: dict[str, Any] = {
    # what a dead worker had goes back to the caller, who knows what to do with it
    "distributed.scheduler.allowed-failures": 0,
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.worker-ttl": None,  # a thread in a library may hold Python's lock for minutes
    # the job's own plan bounds the memory; Dask would pause or end a worker in the middle of a CT
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    # else 1 for OpenMP and MKL; the engine chooses its number of threads itself
    "distributed.nanny.pre-spawn-environ": {},
    "distributed.client.direct-to-workers": False,
    # the HTTP servers that Dask starts in any case answer nothing
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.diagnostics.nvml": False,
    "distributed.admin.system-monitor.gil.enabled": False,
    "distributed.admin.tick.limit": "1h",  # no warning while a library holds Python's lock
    "logging": dict.fromkeys(
        ("distributed", "distributed.client", "distributed.gc", "bokeh", "tornado", "tornado.application"), "critical"
    ),
}
"""Names and meanings: https://docs.dask.org/en/stable/configuration.html and distributed.yaml of distributed 2026.8.0.
Dask's log quotes the arguments of tasks that fail, which name files; what matters is reported by the callers."""


@functools.cache
def settle() -> None:
    """Sets them in this process, and so in worker processes that it starts. To be called before Dask is used."""
    import dask.config

    dask.config.refresh(paths=[], env={})
    dask.config.set({"logging": _SETTINGS["logging"]})
    import distributed  # noqa: F401 - sets its loggers up, and adds its defaults

    dask.config.set(_SETTINGS)
    for name, level in _SETTINGS["logging"].items():
        logging.getLogger(name).setLevel(level.upper())
