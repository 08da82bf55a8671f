"""The command ``cluster-worker``: one worker process, and one that starts it again when it dies."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress

from TotalSegmentatorWire.command.terminal import Terminal
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.arguments import ClusterWorkerOptions
from TotalSegmentatorEngine.cluster.connection import TIME_LIMIT_SECONDS
from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.nanny_options import GPU, LOOPBACK, VISIBLE_GPUS, nanny_options
from TotalSegmentatorEngine.cluster.probe import check_answer
from TotalSegmentatorEngine.cluster.server_address import ServerAddress, parse_address
from TotalSegmentatorEngine.cluster.tls_files import TlsFiles, check_allowed, security_of


def run(options: ClusterWorkerOptions) -> int:
    """Works until the scheduler goes, or somebody stops it; returns the exit status.

    Raises SegmentationError: as connection.connect.
    """
    address, tls = parse_address(options.address), options.tls()
    check_allowed(address, tls)
    check_answer(address, None if tls is None else tls.context(), TIME_LIMIT_SECONDS)
    settle()
    asyncio.run(_work(address, tls, options.gpu))
    return 0


async def _work(address: ServerAddress, tls: TlsFiles | None, gpu: str | None) -> None:
    from distributed import Nanny

    host = LOOPBACK if address.is_loopback else None  # where the scheduler's computer sees this one
    environment = {} if gpu is None else {VISIBLE_GPUS: gpu}
    options = nanny_options(security_of(tls), host, {} if gpu is None else {GPU: 1}, environment)
    try:
        nanny = await Nanny(address.uri, **options)
    except (OSError, RuntimeError, TimeoutError) as error:
        raise SegmentationError("SCHEDULER_NOT_REACHED", seconds=TIME_LIMIT_SECONDS) from error
    Terminal().show_note("ready; Ctrl+C ends the worker")
    stop = asyncio.current_task().cancel
    with suppress(NotImplementedError):  # Windows knows Ctrl+C only, which cancels the task as well
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        await nanny.finished()
        Terminal().show_note("the scheduler has ended")
    except asyncio.CancelledError:
        Terminal().show_note("stopped")
    finally:
        await nanny.close(timeout=2)
