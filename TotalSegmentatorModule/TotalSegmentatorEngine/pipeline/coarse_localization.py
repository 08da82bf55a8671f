"""Where structures are, as a quick pass with a coarse model of the same family finds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from TotalSegmentatorEngine.models.find_model import Model, Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.preprocessing.network_input import NetworkGrid, Region
from TotalSegmentatorEngine.preprocessing.regions import (
    boxes_by_label,
    enclosing,
    extended,
    large_pieces,
    on_finer_grid,
)


@dataclass(frozen=True, eq=False)
class CoarseLocalization:
    """Boxes of the structures that the coarse model found, without strays, on its own grid."""

    boxes: dict[str, Region]
    grid: NetworkGrid

    def missed(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that it did not find."""
        return [name for name in names if name not in self.boxes]

    def region_of(self, names: Iterable[str], grid: NetworkGrid, searches_missed: bool) -> Region | None:
        """The region of ``grid`` that contains the structures ``names``, with a margin; None for nowhere.

        ``searches_missed``: a structure that was not found, perhaps because it is too small for the coarse model, may
        be anywhere where the model found anything.
        """
        names = list(names)
        boxes = [self.boxes[name] for name in names if name in self.boxes]
        if searches_missed and len(boxes) < len(names):
            boxes = list(self.boxes.values())
            if not boxes:
                return grid.whole
        box = enclosing(boxes)
        return None if box is None else on_finer_grid(box, self.grid, grid)


def localization_of(labels: np.ndarray, grid: NetworkGrid, model: Model) -> CoarseLocalization:
    """``labels`` (z, y, x) uint8 on ``grid``, numbered as the coarse ``model`` numbers its structures."""
    names = {structure.label: structure.name for structure in model.structures}
    boxes = boxes_by_label(labels, names)
    return CoarseLocalization(
        {names[label]: enclosing(large_pieces(labels, label, box)) for label, box in boxes.items()}, grid
    )


def part_regions(
    localization: CoarseLocalization, model: Model, requested: set[str], grid: NetworkGrid, searches_missed: bool
) -> dict[str, Region | None]:
    """For each part of ``model`` the region that contains those of the ``requested`` structures that it knows."""
    regions: dict[str, Region | None] = {}
    for part in model.parts_to_run:
        region = localization.region_of(requested & names_of(part, model), grid, searches_missed)
        regions[part.name] = None if region is None else with_context(region, grid, part.folder, model.profile.step)
    return regions


def names_of(part: Part, model: Model) -> set[str]:
    """The structures that a part knows."""
    numbers = set(part.labels.values())
    return {structure.name for structure in model.structures if structure.label in numbers}


def with_context(region: Region, grid: NetworkGrid, folder: ModelFolder, step: float) -> Region:
    """The region extended as far as costs no further tile."""
    patch_size = [folder.patch_size[axis] for axis in folder.transpose_backward]
    return extended(region, grid.shape, patch_size, step)
