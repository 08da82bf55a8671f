"""Agreement of two label maps on one grid, and per-structure statistics; used by demo, tests and benchmarks."""

from __future__ import annotations

import numpy as np


def dice_by_label(first: np.ndarray, second: np.ndarray, minimum_voxels: int = 1) -> dict[int, float]:
    """Dice of every label that has at least ``minimum_voxels`` in ``second`` (the reference).

    Both are integer label maps of the same shape, 0 is background; a label that ``first`` lacks scores 0.
    """
    if first.shape != second.shape:
        raise ValueError("label maps differ in shape: {} and {}".format(first.shape, second.shape))
    size = int(max(first.max(), second.max())) + 1
    in_first = np.bincount(first.ravel(), minlength=size)
    in_second = np.bincount(second.ravel(), minlength=size)
    in_both = np.bincount(first[first == second].ravel(), minlength=size)
    labels = [label for label in range(1, size) if in_second[label] >= minimum_voxels]
    return {label: float(2 * in_both[label] / (in_first[label] + in_second[label])) for label in labels}


def volumes_and_means(labels: np.ndarray, ct: np.ndarray, voxel_ml: float) -> dict[int, tuple[float, float]]:
    """Volume in ml and mean HU of every label that occurs. ``labels`` and ``ct`` are on one grid."""
    counts = np.bincount(labels.ravel())
    sums = np.bincount(labels.ravel(), weights=ct.ravel())
    present = [int(label) for label in np.flatnonzero(counts) if label]
    return {label: (float(counts[label] * voxel_ml), float(sums[label] / counts[label])) for label in present}


def worst(dice: dict[int, float], names: dict[int, str], count: int = 5) -> str:
    """The lowest scores as text: "rib left 12 0.61, ..."."""
    lowest = sorted(dice.items(), key=lambda item: item[1])[:count]
    return ", ".join("{} {:.3f}".format(names.get(label, str(label)), value) for label, value in lowest)
