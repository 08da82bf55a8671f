"""Packs the structures of a result, so that any of them can be restored after it was edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from TotalSegmentatorWire.messages.computed import ComputedStructure, ComputedStructures
from TotalSegmentatorWire.messages.segment import FoundStructure

from TotalSegmentatorEngine.imaging.geometry import Geometry


def computed_structures(
    found: Iterable[FoundStructure],
    labels: np.ndarray,
    geometry: Geometry,
    check_cancelled: Callable[[], None] = lambda: None,
) -> ComputedStructures:
    """``found`` in ``labels`` (uint8 (k, j, i) on ``geometry``). ``check_cancelled`` may raise to stop."""
    packed = {}
    for structure in found:
        check_cancelled()
        i_min, i_max, j_min, j_max, k_min, k_max = structure.extent
        inside = labels[k_min : k_max + 1, j_min : j_max + 1, i_min : i_max + 1] == structure.label
        bits = np.packbits(inside).tobytes()
        packed[structure.name] = ComputedStructure.packed([k_min, j_min, i_min], list(inside.shape), bits)
    matrix = [float(number) for number in geometry.ijk_to_ras.ravel()]
    return ComputedStructures(list(geometry.shape), matrix, packed)
