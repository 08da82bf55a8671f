"""The round field of view of a reconstruction: beyond it the CT holds one padding value in all slices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.ndimage import binary_dilation

HIGHEST_PADDING_HU = -1000
"""Padding is no brighter than air."""
IMPOSSIBLE_HU = -1500
"""No tissue and no air has so low a value, so that one value in all slices is padding whatever its outline. (Air is
-1000 HU by definition; the lowest voxel of a real CT with metal artefacts is -1207 HU.)"""
MOST_OFF_CIRCLE_PIXELS = 1.5
"""Pixels of the outline lie this close to a circle where the padding is the outside of a round field of view."""
SHARE_ON_CIRCLE = 0.95
FEWEST_OUTLINE_PIXELS = 20
SMALLEST_SHARE_OF_A_SIDE = 0.2
"""Of the columns in which a structure meets the edge: fewer do not make it cut towards that side."""


@dataclass(frozen=True, eq=False)
class RoundView:
    """``unseen``: bool [A, R], the columns of voxels along the body that hold nothing but padding."""

    unseen: np.ndarray

    @cached_property
    def edge(self) -> np.ndarray:
        """bool [A, R]: the unseen columns and those beside them; a structure that reaches here is cut."""
        return binary_dilation(self.unseen, np.ones((3, 3), bool))

    @cached_property
    def centre(self) -> np.ndarray:
        """[A, R] of the seen columns."""
        return np.argwhere(~self.unseen).mean(axis=0)

    def sides_of(self, columns: np.ndarray, box: tuple[slice, slice], spacing: np.ndarray) -> set[str]:
        """Towards which sides of the patient the view ends within ``columns``: bool [A, R] of the box; ``spacing``: mm
        along these axes."""
        middle = self.centre - [part.start for part in box]
        away = (np.argwhere(columns & self.edge[box]) - middle) * spacing
        along_front = np.abs(away[:, 0]) > np.abs(away[:, 1])
        front, right = away[along_front, 0] > 0, away[~along_front, 1] > 0
        found = {"front": front.sum(), "back": (~front).sum(), "right": right.sum(), "left": (~right).sum()}
        return {side for side, count in found.items() if count > len(away) * SMALLEST_SHARE_OF_A_SIDE}


def round_view(ct: np.ndarray, spacing: np.ndarray) -> RoundView | None:
    """``ct``: HU, [S, A, R]; ``spacing``: mm along these axes. None where no padding lies at their corners."""
    corners = {int(ct[0, a, r]) for a in (0, -1) for r in (0, -1)}
    for value in sorted(corners):
        if value > HIGHEST_PADDING_HU:
            continue
        unseen = _everywhere(ct, value)
        if (
            unseen.any()
            and not unseen.all()
            and (value <= IMPOSSIBLE_HU or _is_outside_of_a_circle(unseen, spacing[1:]))
        ):
            return RoundView(unseen)
    return None


def _everywhere(ct: np.ndarray, value: int) -> np.ndarray:
    """bool [A, R]: the columns that hold ``value`` in every slice."""
    columns = ct[0] == value
    for plane in ct[:: max(1, len(ct) // 3)]:  # a CT without padding is done after these
        columns &= plane == value
    for plane in ct:
        if not columns.any():
            break
        columns &= plane == value
    return columns


def _is_outside_of_a_circle(unseen: np.ndarray, spacing: np.ndarray) -> bool:
    """Whether the outline of the seen columns, where it is not the border of the slice, is a circle (algebraic least
    squares: x² + y² + ax + by + c = 0)."""
    outline = np.argwhere(~unseen & binary_dilation(unseen)) * spacing
    if len(outline) < FEWEST_OUTLINE_PIXELS:
        return False
    terms = np.column_stack([outline, np.ones(len(outline))])
    solution, *_ = np.linalg.lstsq(terms, -(outline**2).sum(axis=1), rcond=None)
    centre = -solution[:2] / 2
    radius = np.sqrt(max(centre @ centre - solution[2], 0.0))
    off = np.abs(np.linalg.norm(outline - centre, axis=1) - radius)
    return bool((off <= MOST_OFF_CIRCLE_PIXELS * spacing.max()).mean() >= SHARE_ON_CIRCLE)
