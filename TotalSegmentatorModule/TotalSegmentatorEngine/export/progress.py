"""Reports how an export advances, and asks whether to stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from TotalSegmentatorWire.command.reporter import EventReporter
from TotalSegmentatorWire.messages.export import EXPORT_JOB, ExportProgressEvent

from TotalSegmentatorEngine.export.core.roi import Roi


class ExportReporter(EventReporter):
    """Emits ExportProgressEvent and WarningEvent."""

    def __init__(
        self,
        emit: Callable[[Any], None] = lambda event: None,
        is_cancelled: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(EXPORT_JOB, emit, is_cancelled, clock)

    def progress(self, step: str, fraction: float, item: str = "") -> None:
        """``fraction`` 0..1 of the whole. Raises SegmentationError("CANCELLED")."""
        self.check_cancelled()
        fraction = self._raise_fraction(fraction)
        if self._is_due(step):
            self._emit(ExportProgressEvent(step, item, fraction))

    def structures(self, step: str, count: int, first: float, last: float) -> Callable[[int, Roi], None]:
        """What a writer of ``count`` structures calls for each; they take the part ``first`` to ``last`` of the whole.

        A writer that goes through them twice ends at ``last`` all the same.
        """

        def report(index: int, roi: Roi) -> None:
            self.progress(step, first + (last - first) * min(index / max(count, 1), 1.0), roi.name)

        return report
