"""Files that another program locks for a moment: antivirus programs read what is new, and Windows then refuses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from TotalSegmentatorWire.disk_space import is_disk_full
from TotalSegmentatorWire.errors.problem import SegmentationError

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts."""

Result = TypeVar("Result")


def retry_while_locked(action: Callable[[], Result]) -> Result:
    """The result of ``action``, which renames or removes and is repeated while it fails.

    Raises SegmentationError("FILE_LOCKED"); at once FileNotFoundError and the OSError of a full disk.
    """
    pauses = iter(_PAUSES)
    while True:
        try:
            return action()
        except OSError as error:
            if isinstance(error, FileNotFoundError) or is_disk_full(error):
                raise
            pause = next(pauses, None)
            if pause is None:
                raise SegmentationError("FILE_LOCKED") from error
            time.sleep(pause)
