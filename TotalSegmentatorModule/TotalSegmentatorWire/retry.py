"""Files that another program locks for a moment: antivirus programs read what is new, and Windows then refuses."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from TotalSegmentatorWire.errors.problem import SegmentationError

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0)
"""Seconds between attempts."""

Result = TypeVar("Result")


def retry_while_locked(action: Callable[[], Result]) -> Result:
    """The result of ``action``, which renames or removes and is repeated while it fails.

    Raises SegmentationError("FILE_LOCKED"), FileNotFoundError.
    """
    for pause in _PAUSES:
        try:
            return action()
        except FileNotFoundError:
            raise
        except OSError:
            time.sleep(pause)
    try:
        return action()
    except OSError as error:
        raise SegmentationError("FILE_LOCKED") from error
