"""What the steps of one job share while it runs by a plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from TotalSegmentatorWire.messages.plan import Plan
from TotalSegmentatorWire.messages.segment import Stage

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.pipeline.cache import EngineCache, JobImages
from TotalSegmentatorEngine.pipeline.measurements import Measurements
from TotalSegmentatorEngine.pipeline.network_pool import NetworkPool
from TotalSegmentatorEngine.plan.run_order import RunOrder


@dataclass
class WorkDone:
    """Of networks that have run."""

    tiles: int = 0
    tile_voxels: int = 0
    label_voxels: float = 0.0


class TileCounter:
    """Reports the tiles of the whole job, a tile of a large patch as more work than that of a small one. The total may
    change while the job runs."""

    def __init__(self, reporter: Reporter, plan: Plan, done: WorkDone) -> None:
        self._reporter = reporter
        self.done = done.tiles
        self.done_voxels = done.tile_voxels
        self.plan(plan)

    def plan(self, plan: Plan) -> None:
        """The whole job's tiles are those of ``plan``."""
        self.total, self._total_voxels = plan.tiles, plan.tile_voxels

    def expect_more(self, folder: ModelFolder, tiles: int) -> None:
        """Tiles that the plan does not include."""
        self.total += tiles
        self._total_voxels += tiles * math.prod(folder.patch_size)

    def reports(self, folder: ModelFolder) -> Callable[[int], None]:
        """A function that takes how many tiles of the folder's network are finished beside those before. It raises
        SegmentationError("CANCELLED")."""
        voxels = math.prod(folder.patch_size)

        def report(in_this_run: int) -> None:
            self._reporter.check_cancelled()
            self._report(self.done + in_this_run, self.done_voxels + in_this_run * voxels)

        return report

    def finish(self, folder: ModelFolder, tiles: int) -> None:
        self.done += tiles
        self.done_voxels += tiles * math.prod(folder.patch_size)

    def report_all(self) -> None:
        """There is no other tile to come."""
        self._reporter.progress(Stage.PREDICTING, 1.0, self.done, self.done)

    def _report(self, tiles: int, voxels: int) -> None:
        self.total, self._total_voxels = max(self.total, tiles), max(self._total_voxels, voxels)
        self._reporter.progress(Stage.PREDICTING, voxels / max(self._total_voxels, 1), tiles, self.total)


class LabelCounter:
    """Reports the labels that are made of the networks' predictions; the total may change while the job runs."""

    def __init__(self, reporter: Reporter, total: int, done: float = 0.0) -> None:
        self._reporter = reporter
        self.total = total
        """Voxels of the labels of the whole job."""
        self.done = done

    def for_sink(self) -> Callable[[float], None]:
        """A function that takes how many labels of one sink are made. It raises SegmentationError("CANCELLED")."""
        before = 0.0

        def report(made: float) -> None:
            nonlocal before
            self._reporter.check_cancelled()
            self.done += max(made - before, 0.0)
            before = max(made, before)
            self.total = max(self.total, round(self.done))
            self._reporter.progress(Stage.LABELLING, self.done / max(self.total, 1))

        return report


@dataclass(frozen=True, eq=False)
class JobContext:
    """What the steps share."""

    volume: Volume
    plan: Plan
    cache: EngineCache
    images: JobImages
    measurements: Measurements
    reporter: Reporter
    networks: NetworkPool
    tiles: TileCounter
    labels: LabelCounter
    order: RunOrder
