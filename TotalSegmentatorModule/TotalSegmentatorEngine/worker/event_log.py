"""Appends events to ``events.jsonl`` of one folder."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.job_folder import EVENTS_FILE
from TotalSegmentatorWire.messages.segment import encode


class EventLog:
    """The events of one folder, written by any thread, each line at once.

    The file is opened for each event, because Windows refuses to remove a folder with an open file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()

    def emit(self, event: Any) -> None:
        """Append one event. Raises FileNotFoundError when the folder is gone, other OSError when the disk is full."""
        line = (encode(event) + "\n").encode("ascii")
        with self._lock:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            descriptor = os.open(self.folder / EVENTS_FILE, flags, 0o600)
            try:
                os.write(descriptor, line)
            finally:
                os.close(descriptor)
