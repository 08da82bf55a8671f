"""How much of a region of a network's grid is tissue and not air."""

from __future__ import annotations

import math

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import shape_of

AIR_HU = -500
"""Half-way between air and water."""
_EVERY = 4
"""Voxels of the CT along each axis of which one is looked at."""


class Tissue:
    """Of a CT that networks get on ``grid``."""

    def __init__(self, volume: Volume, grid: NetworkGrid) -> None:
        array = volume.array if grid.reorientation is None else grid.reorientation.view(volume.array)
        self._mask = array[::_EVERY, ::_EVERY, ::_EVERY] > AIR_HU
        self._shape = grid.shape

    def voxels(self, region: Region) -> float:
        """Of the region, so many are tissue."""
        box = tuple(
            slice(math.floor(part.start * seen / size), max(math.ceil(part.stop * seen / size), 1))
            for part, seen, size in zip(region, self._mask.shape, self._shape, strict=True)
        )
        looked_at = self._mask[box]
        return math.prod(shape_of(region)) * float(np.count_nonzero(looked_at)) / max(looked_at.size, 1)
