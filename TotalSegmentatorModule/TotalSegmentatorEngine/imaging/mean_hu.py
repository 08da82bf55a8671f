"""The mean CT number of each structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from TotalSegmentatorWire.messages.segment import FoundStructure

_LABELS = 256


def with_mean_hu(
    found: list[FoundStructure], labels: np.ndarray, ct: np.ndarray, on_plane: Callable[[], None] = lambda: None
) -> list[FoundStructure]:
    """``found`` in ``labels`` (uint8 (k, j, i)), each with its mean in ``ct`` (HU, same shape). ``on_plane`` is called
    before each plane; it may raise to stop."""
    sums, counts = np.zeros(_LABELS), np.zeros(_LABELS)
    for plane, values in zip(labels, ct, strict=True):
        on_plane()
        inside = plane != 0
        of_plane = plane[inside]
        sums += np.bincount(of_plane, weights=values[inside], minlength=_LABELS)
        counts += np.bincount(of_plane, minlength=_LABELS)
    return [
        dataclasses.replace(structure, mean_hu=round(float(sums[structure.label] / counts[structure.label]), 2))
        for structure in found
    ]
