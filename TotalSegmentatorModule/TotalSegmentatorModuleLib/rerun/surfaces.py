"""Surfaces of segments that have lost theirs with their voxels, made while the application goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from TotalSegmentatorModuleLib.figures.surface_building import SurfaceBuilding
from TotalSegmentatorModuleLib.qt_helpers.repeating_timer import Ticker

_WORK_SECONDS = 0.015
"""For so long steps are made before the application has its turn; the last one may take longer."""
_REST_MS = 5


class SurfaceRenewal:
    def __init__(self) -> None:
        self._unfinished: list[tuple[SurfaceBuilding, Iterator[tuple[int, int]]]] = []
        self._ticker = Ticker(self._tick)

    def begin(self, node, segment_ids: Sequence[str]) -> None:
        """Segments of ``node`` (vtkMRMLSegmentationNode) have just lost their surfaces, and nobody has heard of it yet:
        otherwise Slicer would make them at once. Surfaces follow in steps."""
        building = SurfaceBuilding(node, segment_ids)
        building.begin()
        self._unfinished.append((building, building.steps()))
        self._ticker.start()

    def close(self) -> None:
        """No segment stays with an empty surface."""
        self._ticker.dispose()
        unfinished, self._unfinished = self._unfinished, []
        for building, _steps in unfinished:
            building.cancel()

    def _tick(self) -> int | None:
        deadline = time.monotonic() + _WORK_SECONDS
        while self._unfinished:
            for _done in self._unfinished[0][1]:
                if time.monotonic() >= deadline:
                    return _REST_MS
            del self._unfinished[0]
        return None
