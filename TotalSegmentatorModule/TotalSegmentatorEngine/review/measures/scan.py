"""The CT that was segmented: what is measured of it alone, once for all findings on it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.review.measures.round_view import RoundView, round_view


class Scan:
    def __init__(self, ct: np.ndarray | None, spacing: np.ndarray) -> None:
        """``ct``: HU, [S, A, R]; None where there is none; ``spacing``: mm along these axes."""
        self.ct = ct
        self._spacing = spacing

    @cached_property
    def round_view(self) -> RoundView | None:
        """None without a CT, and where the reconstruction fills the whole grid."""
        return None if self.ct is None else round_view(self.ct, self._spacing)

    @cached_property
    def metal(self) -> np.ndarray:
        """[n, 3]: the voxels as dense as metal."""
        dense = threshold("metal_hu")
        found = [np.empty((0, 3), np.intp)]
        for number, plane in enumerate([] if self.ct is None else self.ct):
            if plane.max() > dense:
                found.append(np.insert(np.argwhere(plane > dense), 0, number, axis=1))
        return np.concatenate(found)
