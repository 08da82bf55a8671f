"""Tells the engine where structures are, from a label map, in place of what its coarse model finds.

Networks with seeded weights cost what the published ones do, but find noise; so the time of a job for a few structures
can be measured with them only if someone else says where these are. The coarse model runs all the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

KNOWN_LABELS_VARIABLE = "BENCHMARK_KNOWN_LABELS"
"""Names an uncompressed NIfTI file on the CT's grid, with the label numbers of structures_104."""


def know_structures(localization: ModuleType) -> None:
    """The engine's localization is made of the known labels instead of its coarse network's."""
    from TotalSegmentatorWire.tables.structures import structure_table

    names = {structure.label: structure.name for structure in structure_table("structures_104")}

    def localization_of_known(labels: np.ndarray, grid: Any, model: Any) -> Any:
        known = on_grid(_read(Path(os.environ[KNOWN_LABELS_VARIABLE])), grid)
        if known.shape != labels.shape:
            raise ValueError("known labels {} and the network's {} differ in shape".format(known.shape, labels.shape))
        of_the_model = {structure.name for structure in model.structures}
        there = {label for label, name in names.items() if name in of_the_model}
        boxes = localization.boxes_by_label(known, there)
        return localization.CoarseLocalization({names[label]: box for label, box in boxes.items()}, grid)

    localization.localization_of = localization_of_known


def widen_nothing(regions: ModuleType) -> None:
    """Noise is at every border; no region grows because of it."""
    regions.cut_sides = lambda *_arguments, **_options: []


def on_grid(labels: np.ndarray, grid: Any) -> np.ndarray:
    """``labels`` (k, j, i) of the CT at the nearest voxels of the grid of a network, which lies corner to corner."""
    turned = labels if grid.reorientation is None else grid.reorientation.view(labels)
    for axis, size in enumerate(grid.shape):
        places = np.rint(np.linspace(0, turned.shape[axis] - 1, size)).astype(int)
        turned = turned.take(places, axis)
    return np.ascontiguousarray(turned)


def _read(path: Path) -> np.ndarray:
    import nibabel

    return np.asarray(nibabel.load(path).dataobj).transpose(2, 1, 0)
