"""What the check of a job needs of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.inference.sliding_window import TileSource
from TotalSegmentatorEngine.inference.tile_runner import TileRunner
from TotalSegmentatorEngine.models.find_model import Model
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, NetworkInput, Piece, Region


class CheckedCt(Protocol):
    """The CT, or the box of it that the step gets, on the grid of the step's model."""

    model: Model
    volume: Volume
    grid: NetworkGrid

    def pieces(self, region: Region) -> list[Piece]: ...

    def network_input(self, folder: ModelFolder, region: Region, piece: Piece) -> NetworkInput: ...

    def tiles_of_whole(self, folder: ModelFolder, piece: Piece) -> TileSource: ...


GetRunner = Callable[[ModelFolder, Callable[[], np.ndarray]], TileRunner]
"""Takes a folder, and what gives a tile for a trial."""


@dataclass(frozen=True)
class CheckedJob:
    """The job's networks and its progress."""

    runner: GetRunner
    """Of the job itself."""
    exact_runner: GetRunner
    reports: Callable[[ModelFolder], Callable[[int], None]]
    """Of a folder: takes how many of its tiles are done in this run; raises SegmentationError("CANCELLED")."""
    finish: Callable[[ModelFolder, int], None]
    """So many tiles of the folder are done."""
    check_cancelled: Callable[[], None]
    seed: str
    """Of the CT (agreement.ct_seed)."""
