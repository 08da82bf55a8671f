"""The line through the positions of parallel slices, which a few slices beside it do not turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from TotalSegmentatorEngine.dicom_series.headers import SliceHeader
from TotalSegmentatorEngine.dicom_series.slice_order import SAME_POSITION_MM


class StackLine:
    """Fitted by medians to ``slices``, parallel ones with positions, in any order."""

    def __init__(self, slices: Sequence[SliceHeader]) -> None:
        normal = np.cross(*slices[0].orientation)
        self.normal = normal / np.linalg.norm(normal)
        positions = np.array([header.position for header in slices])
        self.along = positions @ self.normal
        """Places of the slices along the normal in mm, shape (slices,)."""
        order = np.argsort(self.along, kind="stable")
        steps = np.diff(self.along[order])
        usable = steps > SAME_POSITION_MM
        in_plane = positions - np.outer(self.along, self.normal)
        drifts = np.diff(in_plane[order], axis=0)[usable] / steps[usable, None]
        self._drift = np.median(drifts, axis=0) if usable.any() else np.zeros(3)
        self._foot = np.median(in_plane - np.outer(self.along, self._drift), axis=0)
        self.step = float(np.median(steps[usable])) if usable.any() else 0.0
        """The usual one, in mm; 0 where all slices lie at one place."""

    def place(self, header: SliceHeader) -> float:
        """Along the normal, in mm."""
        return float(header.position @ self.normal)

    def distance(self, header: SliceHeader) -> float:
        """Of the header's position from the line, in the plane, in mm."""
        place = self.place(header)
        return float(np.linalg.norm(header.position - place * self.normal - self._foot - place * self._drift))
