"""Stands between a program and a server on 127.0.0.1, and records what the program sends."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

_BLOCK = 65536


class RecordingRelay:
    """Passes everything on, both ways. ``sent``: what was sent to the server, all connections one after another."""

    def __init__(self, port: int) -> None:
        self._server = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sent: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def sent(self) -> bytes:
        return b"".join(self._sent)

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                threading.Thread(target=self._pass_on, args=(client, server, self._sent), daemon=True).start()
                threading.Thread(target=self._pass_on, args=(server, client, None), daemon=True).start()

    @staticmethod
    def _pass_on(source: socket.socket, target: socket.socket, record: list[bytes] | None) -> None:
        with contextlib.suppress(OSError):  # one side has gone
            while data := source.recv(_BLOCK):
                if record is not None:
                    record.append(data)
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def recording_relay(port: int) -> Iterator[RecordingRelay]:
    relay = RecordingRelay(port)
    yield relay
    relay.close()
