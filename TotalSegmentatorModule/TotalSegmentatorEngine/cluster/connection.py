"""A connection to a Dask scheduler."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.dask_settings import settle
from TotalSegmentatorEngine.cluster.probe import check_answer
from TotalSegmentatorEngine.cluster.server_address import ServerAddress
from TotalSegmentatorEngine.cluster.tls_files import TlsFiles, check_allowed, security_of

if TYPE_CHECKING:
    from distributed import Client

TIME_LIMIT_SECONDS = 15.0


def connect(address: ServerAddress, tls: TlsFiles | None, seconds: float = TIME_LIMIT_SECONDS) -> Client:
    """A client of the scheduler at ``address``; the caller closes it. It listens on no port.

    Whoever controls the scheduler can run code on this side, too: Dask's messages hold pickled objects. That is why
    nothing is sent to another computer without mutual TLS.

    Raises SegmentationError with
        SCHEDULER_NEEDS_TLS: the address lies beyond this computer and TLS is not set up; nothing was sent
        TLS_FILE_UNUSABLE: one of the three files; nothing was sent
        SCHEDULER_NOT_REACHED: no scheduler answered within about ``seconds``
        SCHEDULER_CERTIFICATE_REFUSED: one side does not accept the other's certificate, or one uses no TLS
        CLUSTER_VERSIONS_DIFFER: see versions.check_scheduler
    """
    check_allowed(address, tls)
    context = None if tls is None else tls.context()
    check_answer(address, context, seconds)
    settle()
    from distributed import Client

    from TotalSegmentatorEngine.cluster.versions import check_scheduler

    security = security_of(tls)
    try:
        with warnings.catch_warnings():  # versions that differ; checked below, those that matter
            warnings.simplefilter("ignore")
            client = Client(
                address.uri, security=security, timeout=seconds, set_as_default=False, direct_to_workers=False
            )
    except (OSError, ImportError, TimeoutError) as error:
        raise SegmentationError("SCHEDULER_NOT_REACHED", seconds=seconds) from error
    try:
        check_scheduler(client)
    except BaseException:
        client.close()
        raise
    return client


def present_workers(client: Client) -> dict[str, dict[str, Any]]:
    """What the scheduler knows of each worker, by address.

    Asked of the scheduler itself: ``Client.scheduler_info`` may return what a timer of the client has just replaced by
    an answer without workers (distributed 2026.8.0). Raises SegmentationError("SCHEDULER_LOST").
    """
    try:
        return client.sync(client.scheduler.identity, n_workers=-1)["workers"]
    except OSError as error:
        raise SegmentationError("SCHEDULER_LOST") from error
