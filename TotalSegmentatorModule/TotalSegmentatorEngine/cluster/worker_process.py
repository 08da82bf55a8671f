"""The command ``cluster-worker``: one worker process, and one that starts it again when it dies."""

from __future__ import annotations

import asyncio
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.arguments import ClusterWorkerOptions
from TotalSegmentatorEngine.cluster.connection import TIME_LIMIT_SECONDS
from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.nanny_options import GPU, VISIBLE_GPUS, nanny_options
from TotalSegmentatorEngine.cluster.probe import check_answer
from TotalSegmentatorEngine.cluster.server_address import parse_address
from TotalSegmentatorEngine.cluster.serving import serve
from TotalSegmentatorEngine.cluster.tls_files import check_allowed, security_of


def run(options: ClusterWorkerOptions) -> int:
    """Works until the scheduler goes, or somebody stops it; returns the exit status.

    Raises SegmentationError: as connection.connect.
    """
    address, tls = parse_address(options.address), options.tls()
    check_allowed(address, tls)
    host = check_answer(address, None if tls is None else tls.context(), TIME_LIMIT_SECONDS)
    settle()
    variables = {} if options.gpu is None else {VISIBLE_GPUS: options.gpu}
    resources = {} if options.gpu is None else {GPU: 1.0}
    asyncio.run(_work(address.uri, nanny_options(security_of(tls), host, resources, variables)))
    return 0


async def _work(scheduler: str, options: dict[str, Any]) -> None:
    from distributed import Nanny

    try:
        nanny = await Nanny(scheduler, **options)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise SegmentationError("SCHEDULER_NOT_REACHED", seconds=TIME_LIMIT_SECONDS) from error
    await serve(nanny, "ready; Ctrl+C ends the worker", "the scheduler has ended")
