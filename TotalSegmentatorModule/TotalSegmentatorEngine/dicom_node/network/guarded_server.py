"""The server behind the listening port: who may connect at all, and how many at a time and in a minute."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from socketserver import BaseServer
from typing import Any

from pynetdicom.transport import ThreadedAssociationServer

from TotalSegmentatorEngine.dicom_node.network.guarded_sockets import GuardedSocket, MemoryBudget, PduGuard
from TotalSegmentatorEngine.dicom_node.settings.node_settings import Limits

_MOST_ADDRESSES = 1024
"""Whose connections are counted; they are of the senders' networks."""
_MB = 1_000_000
_SPARE_CONNECTIONS = 8
"""Above the limit of associations, so that one more can be told that there are too many."""

_log = logging.getLogger(__name__)


class ConnectionRate:
    """At most so many connections from one address in a minute, and as many at once: a bucket that fills again."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, address: str) -> bool:
        """Counts the connection too, where it is allowed."""
        now = self._clock()
        left, seen = self._buckets.pop(address, (float(self._per_minute), now))
        left = min(float(self._per_minute), left + (now - seen) * self._per_minute / 60)
        is_allowed = left >= 1
        self._buckets[address] = (left - 1 if is_allowed else left, now)
        while len(self._buckets) > _MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        return is_allowed


class GuardedServer(ThreadedAssociationServer):
    """``is_sender`` tells whether somebody at an address may send. One who may not is cut off before a byte is read."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(self, *arguments: Any, limits: Limits, is_sender: Callable[[str], bool], **settings: Any) -> None:
        self._limits = limits
        self._is_sender = is_sender
        self._rate = ConnectionRate(limits.connections_per_minute)
        self._budget = MemoryBudget(limits.memory_mb * _MB)
        self.turned_away = 0
        super().__init__(*arguments, **settings)

    def get_request(self) -> tuple[Any, Any]:
        """The TLS handshake waits until the connection is read, in its own thread: here a slow one would stop all."""
        accepted, address = self.socket.accept()
        limits = self._limits
        accepted.settimeout(limits.idle_seconds)
        if self.ssl_context is None:
            connection = GuardedSocket(accepted.family, accepted.type, accepted.proto, accepted.detach())
            connection.settimeout(limits.idle_seconds)
        else:
            connection = self.ssl_context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False)
        rate = limits.megabytes_per_second
        connection.guard = PduGuard(
            limits.pdu_bytes,
            limits.object_mb * _MB,
            limits.idle_seconds,
            self._budget,
            None if rate is None else rate * _MB,
        )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        address = str(client_address[0])
        if not self._is_sender(address):
            reason = "its address is not allowed"
        elif not self._rate.allows(address):
            reason = "there are too many in a minute"
        elif len(self.active_associations) >= self._limits.associations + _SPARE_CONNECTIONS:
            reason = "there are too many at a time"
        else:
            return True
        self.turned_away += 1
        if self.turned_away.bit_count() == 1:  # 1, 2, 4, 8 ...: a flood does not fill the log
            _log.warning("connections turned away: %d; the last one because %s", self.turned_away, reason)
        return False

    def shutdown(self) -> None:
        """Ends ``serve_forever``, which another thread runs, and closes the port; open associations go on."""
        BaseServer.shutdown(self)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.info("a connection failed before it was an association", exc_info=True)
