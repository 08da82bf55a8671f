"""Where the middle of the body is, and which way its right side lies: from the spine and from paired structures."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.review.measures.findings import Findings
from TotalSegmentatorEngine.review.measures.pair_table import pairs

NEAR_MM = 60.0
"""A little more than from the middle of L5 to that of the sacrum, 53 mm on a real CT."""
_MIDDLE = ("vertebrae_", "sacrum")
"""Structures that lie in the middle of the body."""


class BodyFrame:
    """Places are RAS in mm."""

    def __init__(self, findings: Findings) -> None:
        middle = [
            finding.centre_ras_mm
            for name, finding in findings.items()
            if name.startswith(_MIDDLE) and not finding.is_cut_at_a_side
        ]
        self._middle = np.array(sorted(middle, key=lambda place: place[2])).reshape(-1, 3)
        across = [
            findings[pair.right].centre_ras_mm - findings[pair.left].centre_ras_mm
            for pair in pairs()
            if all(name in findings and not findings[name].is_cut_at_a_side for name in pair.both)
        ]
        self._right = _direction(np.array(across).reshape(-1, 3))

    @property
    def is_known(self) -> bool:
        """Whether there is a spine to tell the middle."""
        return len(self._middle) > 0

    def is_known_at(self, height: float) -> bool:
        """Whether a part of the spine lies near that height: further away a crooked or tilted body leads astray."""
        return self.is_known and bool(np.abs(self._middle[:, 2] - height).min() <= NEAR_MM)

    def right_of(self, place: np.ndarray, other: np.ndarray) -> float:
        """How far one place lies to the right of another, in mm; negative to the left."""
        return float((place - other) @ self._right)

    def to_the_right(self, places: np.ndarray) -> np.ndarray | float:
        """How far places, [3] or [n, 3], lie to the right of the middle at their height, in mm; negative to the
        left."""
        return (places - self._middle_at(places[..., 2])) @ self._right

    def mirrored(self, places: np.ndarray) -> np.ndarray:
        """The same places, [3] or [n, 3], on the other side."""
        return places - 2 * np.multiply.outer(self.to_the_right(places), self._right)

    def _middle_at(self, heights: np.ndarray | float) -> np.ndarray:
        known = self._middle[:, 2]
        return np.stack([np.interp(heights, known, self._middle[:, axis]) for axis in range(3)], axis=-1)


def _direction(across: np.ndarray) -> np.ndarray:
    """Unit vector to the right; the axis of the scanner where there are no pairs. Pairs with their sides swapped do not
    turn it round."""
    turned = across * np.where(across[:, :1] < 0, -1, 1)
    mean = np.median(turned, axis=0) if len(turned) else np.array([1.0, 0.0, 0.0])
    return mean / np.linalg.norm(mean)
