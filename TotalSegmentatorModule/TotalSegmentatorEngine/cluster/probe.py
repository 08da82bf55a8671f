"""Does a Dask scheduler answer at an address, and do both sides accept each other's certificate?

Dask itself repeats a connection that fails until its time is over, and tells a wrong certificate from a server that is
off only in its log. One connection beforehand does, within a bounded time.
"""

from __future__ import annotations

import socket
import ssl
from time import monotonic

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.server_address import ServerAddress

_GREETING = b"pickle-protocol"
"""Stands in what every server of Dask sends first (``Comm.handshake_info`` in distributed/comm/core.py)."""
_GREETING_BYTES = 4096


def check_answer(address: ServerAddress, context: ssl.SSLContext | None, seconds: float) -> str:
    """The address of this computer that the scheduler sees.

    ``context``: this side's certificates, None without TLS. Takes at most about ``seconds``.

    Raises SegmentationError with SCHEDULER_NOT_REACHED or SCHEDULER_CERTIFICATE_REFUSED.
    """
    deadline = monotonic() + seconds
    try:
        with socket.create_connection((address.host, address.port), timeout=seconds) as plain:
            seen_from_there = plain.getsockname()[0]
            is_dask = _greets(plain, deadline) if context is None else _greets_encrypted(plain, context, deadline)
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is too long
        raise SegmentationError("SCHEDULER_NOT_REACHED", seconds=seconds) from error
    if not is_dask:
        raise SegmentationError("SCHEDULER_NOT_REACHED", seconds=seconds)
    return seen_from_there


def _greets_encrypted(plain: socket.socket, context: ssl.SSLContext, deadline: float) -> bool:
    """A server says only after this side's handshake that it refuses this side's certificate, or just hangs up."""
    try:
        with context.wrap_socket(plain) as encrypted:
            return _greets(encrypted, deadline)
    except (ssl.SSLError, ConnectionError) as error:
        raise SegmentationError("SCHEDULER_CERTIFICATE_REFUSED") from error


def _greets(connection: socket.socket, deadline: float) -> bool:
    received = b""
    while _GREETING not in received and len(received) < _GREETING_BYTES:
        connection.settimeout(max(0.001, deadline - monotonic()))
        part = connection.recv(_GREETING_BYTES)
        if not part:
            return False
        received += part
    return _GREETING in received
