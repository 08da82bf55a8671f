"""The command ``cluster-scheduler``."""

from __future__ import annotations

import asyncio
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.arguments import ClusterSchedulerOptions
from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.nanny_options import LOOPBACK
from TotalSegmentatorEngine.cluster.server_address import parse_address
from TotalSegmentatorEngine.cluster.serving import serve
from TotalSegmentatorEngine.cluster.tls_files import check_allowed, security_of


def run(options: ClusterSchedulerOptions) -> int:
    """Serves until somebody stops it; returns the exit status.

    Raises SegmentationError: SCHEDULER_ADDRESS_INVALID, SCHEDULER_NEEDS_TLS, TLS_FILE_UNUSABLE; SCHEDULER_NOT_STARTED
    where nothing can listen at the address.
    """
    address, tls = parse_address(options.address), options.tls()
    check_allowed(address, tls)
    if tls is not None:
        tls.context()
    settle()
    parts = {"host": address.host, "port": address.port, "protocol": address.scheme, "security": security_of(tls)}
    asyncio.run(_serve({**parts, "dashboard": False, "dashboard_address": f"{LOOPBACK}:0"}, address.uri))
    return 0


async def _serve(options: dict[str, Any], uri: str) -> None:
    from distributed import Scheduler

    try:
        scheduler = await Scheduler(**options)
    except (OSError, RuntimeError, ValueError) as error:
        raise SegmentationError("SCHEDULER_NOT_STARTED") from error
    await serve(scheduler, f"ready at {uri}; Ctrl+C ends the scheduler and its workers", "stopped by a client")
