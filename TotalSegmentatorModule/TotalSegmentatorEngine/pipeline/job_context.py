"""What the steps of one job share while it runs by a plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.measurements import Measurements
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool


class TileCounter:
    """Reports the tiles of the whole job; the total may change while the job runs."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self.total = total
        self.done = 0

    def report(self, in_this_run: int) -> None:
        """``in_this_run`` tiles are finished beside ``done``. Raises SegmentationError("CANCELLED")."""
        self._reporter.check_cancelled()
        finished = self.done + in_this_run
        self.total = max(self.total, finished)
        self._reporter.progress(Stage.PREDICTING, finished / max(self.total, 1), finished, self.total)


class LabelCounter:
    """Reports the labels that are made of the networks' predictions; the total may change while the job runs."""

    def __init__(self, reporter: Reporter, total: int) -> None:
        self._reporter = reporter
        self.total = total
        """Voxels of the labels of the whole job."""
        self._done = 0.0

    def for_sink(self) -> Callable[[float], None]:
        """A function that takes how many labels of one sink are made. It raises SegmentationError("CANCELLED")."""
        before = 0.0

        def report(made: float) -> None:
            nonlocal before
            self._reporter.check_cancelled()
            self._done += max(made - before, 0.0)
            before = max(made, before)
            self.total = max(self.total, round(self._done))
            self._reporter.progress(Stage.LABELLING, self._done / max(self.total, 1))

        return report


@dataclass(frozen=True, eq=False)
class JobContext:
    """What the steps share."""

    volume: Volume
    plan: Plan
    cache: EngineCache
    measurements: Measurements
    reporter: Reporter
    networks: NetworkPool
    tiles: TileCounter
    labels: LabelCounter
