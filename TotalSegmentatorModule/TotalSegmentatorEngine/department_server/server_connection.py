"""A connection to the department server that can be given up at any time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from TotalSegmentatorWire.messages.department_server import DepartmentServer

from TotalSegmentatorEngine.cluster.connection import connect
from TotalSegmentatorEngine.cluster.server_address import parse_address
from TotalSegmentatorEngine.cluster.tls_files import tls_files
from TotalSegmentatorEngine.job.listening import listening

if TYPE_CHECKING:
    from distributed import Client

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


@contextmanager
def connected(server: DepartmentServer, check_cancelled: Callable[[], None]) -> Iterator[Client]:
    """A client of the server's scheduler. At its end the scheduler drops everything that the client has sent or
    ordered, and the workers end its tasks.

    Raises SegmentationError: what ``connect`` raises, and CANCELLED.
    """
    address = parse_address(server.address)
    files = (server.ca_file, server.certificate_file, server.key_file)
    tls = tls_files(*(Path(name) if name else None for name in files))
    is_given_up = threading.Event()

    def client_unless_given_up() -> Client:
        client = connect(address, tls)
        if is_given_up.is_set():
            _close(client)
        return client

    try:
        client = listening(client_unless_given_up, check_cancelled)
    except BaseException:
        is_given_up.set()
        raise
    try:
        yield client
    finally:
        # in a thread: a scheduler that does not answer must hold up nobody; it drops the client with the connection
        threading.Thread(target=_close, args=(client,), name="closing", daemon=True).start()


def _close(client: Client) -> None:
    try:
        client.close()
    except Exception as error:  # noqa: BLE001 - whatever Dask raises of a connection that is given up
        _log.info("the connection to the department server was not closed in order: %s", type(error).__name__)
