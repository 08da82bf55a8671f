"""Packs the structures of a result, so that any of them can be restored after it was edited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from TotalSegmentatorWire.messages.computed import ComputedStructure, ComputedStructures
from TotalSegmentatorWire.messages.segment import FoundStructure

from TotalSegmentatorEngine.imaging.geometry import Geometry


def computed_structures(
    found: Iterable[FoundStructure],
    layers: Sequence[np.ndarray],
    geometry: Geometry,
    check_cancelled: Callable[[], None] = lambda: None,
) -> ComputedStructures:
    """``found`` in ``layers`` (each uint8 (k, j, i) on ``geometry``). ``check_cancelled`` may raise to stop."""
    packed = {}
    for structure in found:
        check_cancelled()
        i_min, i_max, j_min, j_max, k_min, k_max = structure.extent
        box = (slice(k_min, k_max + 1), slice(j_min, j_max + 1), slice(i_min, i_max + 1))
        inside = layers[structure.layer][box] == structure.label
        bits = np.packbits(inside).tobytes()
        packed[structure.name] = ComputedStructure.packed([k_min, j_min, i_min], list(inside.shape), bits)
    matrix = [float(number) for number in geometry.ijk_to_ras.ravel()]
    return ComputedStructures(list(geometry.shape), matrix, packed)
