"""A Dask cluster of processes on this computer, reached over its loopback only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.nanny_options import LOOPBACK, nanny_options

if TYPE_CHECKING:
    from distributed import SpecCluster
    from distributed.security import Security


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
    workers = {
        number: {
            "cls": Nanny,
            "options": {"protocol": protocol, **nanny_options(security, LOOPBACK, resources, variables)},
        }
        for number, variables in enumerate(environments)
    }
    options = {"host": LOOPBACK, "port": 0, "protocol": protocol, "security": security}
    scheduler = {"cls": Scheduler, "options": {**options, "dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}}
    return SpecCluster(workers, scheduler, security=security, silence_logs=False)
