"""Files that another program holds for a moment: antivirus programs read what is new, and Windows then refuses."""

from __future__ import annotations

import time
from collections.abc import Callable

from TotalSegmentatorWire.errors.problem import SegmentationError

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts."""


def retry_while_locked(action: Callable[[], object]) -> None:
    """Renames or removes, again and again if need be. Raises SegmentationError("FILE_LOCKED"), FileNotFoundError."""
    for pause in (*_PAUSES, None):
        try:
            action()
            return
        except FileNotFoundError:
            raise
        except OSError as error:
            if pause is None:
                raise SegmentationError("FILE_LOCKED") from error
            time.sleep(pause)
