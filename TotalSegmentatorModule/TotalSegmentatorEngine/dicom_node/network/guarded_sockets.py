"""Sockets that end a connection whose PDUs are too long, too slow or too many for one object.

pynetdicom reads as many bytes as the head of a PDU announces, up to 4 GB, and waits for them for ever; a peer that is
broken or means harm could fill the memory or keep a thread with a few bytes. The limits stand below pynetdicom, where
the bytes come in: an OSError there is a lost connection for it.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
import weakref
from typing import Any

HEAD_BYTES = 6
"""Of a PDU: type, reserved, length (big endian, 4 bytes), PS3.8 9.3.1."""
_ASSOCIATE_REQUEST, _DATA = 0x01, 0x04
_LONGEST_REQUEST = 1 << 18
"""Of an A-ASSOCIATE-RQ in bytes: 128 presentation contexts with some dozens of transfer syntaxes each."""
_LONGEST_OTHER = 1 << 10
"""Of a release or an abort in bytes."""
_SHORTEST_PAUSE = 0.02
"""In seconds: shorter ones are saved up."""
_DATA_OVERHEAD = 64
"""Some peers do not count the head of a PDV in the length that was agreed."""


class MemoryBudget:
    """Bytes of the objects that are arriving on all connections together: pynetdicom collects each in memory."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._received: weakref.WeakKeyDictionary[PduGuard, int] = weakref.WeakKeyDictionary()

    def take(self, guard: PduGuard, received: int) -> bool:
        """``received``: of the present object of this connection. False, and nothing taken, where it is too much."""
        with self._lock:
            self._received[guard] = received
            if sum(self._received.values()) <= self._most_bytes:
                return True
            del self._received[guard]
            return False

    def give_back(self, guard: PduGuard) -> None:
        with self._lock:
            self._received.pop(guard, None)


class PduGuard:
    """Follows the bytes of one connection. ``seconds``: longest time from a PDU's first byte to its last.

    ``object_bytes``: most bytes of data between two answers of ours, which is one object, since operations are not
    asynchronous here. ``budget``: shared by all connections.
    """

    def __init__(
        self,
        pdu_bytes: int,
        object_bytes: int,
        seconds: float,
        budget: MemoryBudget,
        bytes_per_second: float | None = None,
    ) -> None:
        self._longest = {_ASSOCIATE_REQUEST: _LONGEST_REQUEST, _DATA: pdu_bytes + _DATA_OVERHEAD}
        self._object_bytes = object_bytes
        self._budget = budget
        self._seconds = seconds
        self._head = bytearray()
        self._left = 0
        """Bytes of the present PDU behind its head that have not come yet."""
        self._began = 0.0
        self._received = 0
        self._bytes_per_second = bytes_per_second
        self._paid_until = 0.0
        """When as many bytes as have come may have come."""

    def answered(self) -> None:
        """Or the connection was closed."""
        self._received = 0
        self._budget.give_back(self)

    def check(self, data: bytes) -> None:
        """Raises OSError where the connection must end."""
        position = 0
        while position < len(data):
            if self._left:
                taken = min(self._left, len(data) - position)
                self._left -= taken
                position += taken
                continue
            if not self._head:
                self._began = time.monotonic()
            taken = HEAD_BYTES - len(self._head)
            self._head += data[position : position + taken]
            position += taken
            if len(self._head) == HEAD_BYTES:
                self._begin(self._head[0], int.from_bytes(self._head[2:], "big"))
        is_within = bool(self._head) or self._left > 0
        if is_within and time.monotonic() - self._began > self._seconds:
            raise TimeoutError("a PDU takes too long")

    def slow_down(self, count: int) -> None:
        """Waits for as long as ``count`` bytes must take."""
        if not self._bytes_per_second:
            return
        now = time.monotonic()
        self._paid_until = max(self._paid_until, now) + count / self._bytes_per_second
        if self._paid_until - now > _SHORTEST_PAUSE:
            time.sleep(self._paid_until - now)

    def _begin(self, kind: int, length: int) -> None:
        self._head.clear()
        self._left = length
        if length > self._longest.get(kind, _LONGEST_OTHER):
            raise ConnectionAbortedError("a PDU is too long")
        if kind == _DATA:
            self._received += length
            if self._received > self._object_bytes:
                raise ConnectionAbortedError("an object is too large")
            if not self._budget.take(self, self._received):
                raise ConnectionAbortedError("too much arrives at one time")


class _Guarded:
    """Beside a socket class: every byte that is read goes past ``guard``."""

    guard: PduGuard | None = None

    def recv(self, *arguments: Any) -> bytes:
        data = super().recv(*arguments)  # type: ignore[misc]
        if self.guard is not None:
            self.guard.check(data)
            self.guard.slow_down(len(data))
        return data

    def send(self, *arguments: Any) -> int:
        if self.guard is not None:
            self.guard.answered()
        return super().send(*arguments)  # type: ignore[misc]

    def close(self) -> None:
        if self.guard is not None:
            self.guard.answered()
        super().close()  # type: ignore[misc]


class GuardedSocket(_Guarded, socket.socket):
    """Made of the descriptor of a connection, which it takes over."""


class GuardedTlsSocket(_Guarded, ssl.SSLSocket):
    """Made by an SSLContext whose ``sslsocket_class`` it is."""
