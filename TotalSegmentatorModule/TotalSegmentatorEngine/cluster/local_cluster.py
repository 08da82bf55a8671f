"""A Dask cluster of processes on this computer, reached over its loopback only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from TotalSegmentatorEngine.cluster.dask_settings import settle

if TYPE_CHECKING:
    from distributed import SpecCluster
    from distributed.security import Security

LOOPBACK = "127.0.0.1"


def start_cluster(
    environments: Sequence[Mapping[str, str]], resources: Mapping[str, float], security: Security
) -> SpecCluster:
    """One worker process of one thread for each of ``environments``, which are added to its environment variables.

    A worker process that dies is started again. All end with the cluster, and when this process dies. There is no
    dashboard. Without TLS in ``security`` other users of this computer can reach the scheduler.
    """
    settle()
    from distributed import Nanny, Scheduler, SpecCluster

    protocol = "tls://" if security.require_encryption else "tcp://"
    common: dict[str, Any] = {"host": LOOPBACK, "protocol": protocol, "security": security, "dashboard": False}
    worker = {**common, "nthreads": 1, "memory_limit": 0, "resources": dict(resources), "dashboard_address": None}
    workers = {
        number: {"cls": Nanny, "options": {**worker, "env": dict(environment)}}
        for number, environment in enumerate(environments)
    }
    scheduler = {"cls": Scheduler, "options": {**common, "port": 0, "dashboard_address": f"{LOOPBACK}:0"}}
    return SpecCluster(
        workers=workers,
        scheduler=scheduler,
        worker={"cls": Nanny, "options": worker},
        security=security,
        silence_logs=False,
    )
