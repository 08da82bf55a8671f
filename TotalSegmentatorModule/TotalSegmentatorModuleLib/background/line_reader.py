"""Follows a growing text file, whole lines at a time."""

from __future__ import annotations

from pathlib import Path

_MOST_BYTES = 1 << 20  # a call; the rest comes with the next one


class LineReader:
    """Reads what another process appends. A half-written line waits for the next call."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0

    def poll(self) -> list[bytes]:
        """The whole lines since the last call, without their line ends; empty while the file does not exist."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._position)
                data = stream.read(_MOST_BYTES)
        except FileNotFoundError:
            return []
        whole = data.rfind(b"\n") + 1
        if not whole and len(data) == _MOST_BYTES:
            whole = len(data)  # no line is as long as this: pass it on rather than stand still
        self._position += whole
        return data[:whole].splitlines()
