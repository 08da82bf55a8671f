"""A check goes beside the job: where it fails, the job goes on without it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from TotalSegmentatorWire.errors.problem import SegmentationError

logger = logging.getLogger(__name__)

Found = TypeVar("Found")


def attempted(check: Callable[[], Found], drop_networks: Callable[[], None]) -> Found | None:
    """What ``check`` finds; None where it fails, for want of memory above all. ``drop_networks`` is called then, since
    the check may have loaded some. Raises SegmentationError("CANCELLED")."""
    try:
        return check()
    except Exception as error:
        if isinstance(error, SegmentationError) and error.code == "CANCELLED":
            raise
        logger.warning("the labels are not checked: %s: %s", type(error).__name__, error)
    drop_networks()  # only now, since the exception refers to what the check had in memory
    return None
