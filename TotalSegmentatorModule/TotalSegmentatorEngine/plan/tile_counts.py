"""How much a network does over a region: the shape that it gets, its tiles, and the labels that are made of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

from TotalSegmentatorWire.tables.catalogue import Profile

from TotalSegmentatorEngine.inference.sliding_window import Window
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region, pieces_of, resamples_by_plans
from TotalSegmentatorEngine.preprocessing.plans_resampling import image_resampling
from TotalSegmentatorEngine.preprocessing.regions import shape_of

Regions = Mapping[str, Region | None]
"""By name of a part: where it runs; None where it does not run at all."""


def label_work(
    grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile, is_smooth: bool
) -> dict[bool, int]:
    """Voxels whose label is found when a network runs over ``region``: True: of resampled logits; False: of others."""
    shape = network_shape(grid, region, folder, profile)
    own = [shape_of(region)[axis] for axis in folder.transpose_forward]
    is_resampled = tuple(shape) != tuple(own)
    work = {is_resampled: math.prod(own)}
    if is_smooth:
        share = math.prod(own) / math.prod(grid.shape)
        work[True] = work.get(True, 0) + round(share * math.prod(grid.full_shape))
    return work


def network_shape(grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile) -> tuple[int, int, int]:
    """Shape of a region as the network gets it, in its own axes; voxels of value 0 at the image's border may still be
    cropped from it."""
    shape = [shape_of(region)[axis] for axis in folder.transpose_forward]
    if not resamples_by_plans(profile, folder):
        return tuple(shape)
    spacing = tuple(grid.spacing[axis] for axis in folder.transpose_forward)
    return image_resampling(folder, shape, spacing).wanted


def tiles_of(grid: NetworkGrid, region: Region, folder: ModelFolder, profile: Profile, part_count: int) -> int:
    window = Window(folder.patch_size, profile.step, profile.average)
    total = 0
    for piece in pieces_of(shape_of(region), profile, part_count):
        rows = (slice(region[0].start + piece.rows.start, region[0].start + piece.rows.stop), *region[1:])
        total += window.tile_count(network_shape(grid, rows, folder, profile))
    return total
