"""How a worker process is started, here and on other computers: by a small process that starts it again if it dies."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed.security import Security

LOOPBACK = "127.0.0.1"
GPU = "gpu"
"""The resource of which a worker tells that has a GPU to itself."""
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"


def nanny_options(
    security: Security, host: str, resources: Mapping[str, float], environment: Mapping[str, str]
) -> dict[str, Any]:
    """What ``distributed.Nanny`` takes beside the scheduler's address: one thread, no limit of memory, no dashboard.

    ``host``: the address of this computer at which it and its worker listen.
    ``environment``: variables of the worker process.
    """
    return {
        "nthreads": 1,
        "memory_limit": 0,
        "security": security,
        "host": host,
        "resources": dict(resources),
        "env": dict(environment),
        "dashboard": False,
        "dashboard_address": f"{LOOPBACK}:0",
        "silence_logs": logging.CRITICAL,
        "preload": ["TotalSegmentatorEngine.cluster.worker_preload"],
        "death_timeout": "60s",
    }
