"""How far two label maps of one CT say the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scores import dice_by_label

from benchmarks.measuring.image_files import read_nifti


@dataclass(frozen=True)
class Agreement:
    """Shares of equal voxels; ``dice`` by label of the reference, ``sizes`` its voxels."""

    voxels: float
    foreground: float
    """Of the voxels that either of the two calls a structure."""
    dice: dict[int, float]
    sizes: dict[int, int]

    def worst(self, smallest_voxels: int) -> float:
        """The lowest Dice of the labels with so many voxels or more; 1 where there is none."""
        return min((self.dice[label] for label in self._of_size(smallest_voxels)), default=1.0)

    def mean(self) -> float:
        return sum(self.dice.values()) / max(len(self.dice), 1)

    def count(self, smallest_voxels: int) -> int:
        return len(self._of_size(smallest_voxels))

    def _of_size(self, smallest_voxels: int) -> list[int]:
        return [label for label in self.dice if self.sizes[label] >= smallest_voxels]


def agreement(ours: Path | np.ndarray, reference: Path | np.ndarray) -> Agreement:
    """Raises ValueError where the two have no common shape."""
    first, second = (read_nifti(m)[0] if isinstance(m, Path) else m for m in (ours, reference))
    first, second = (np.ascontiguousarray(m).astype(np.uint8, copy=False) for m in (first, second))
    dice = dice_by_label(first, second)
    foreground = (first > 0) | (second > 0)
    equal = first == second
    counted = int(np.count_nonzero(foreground))
    sizes = np.bincount(second.ravel(), minlength=256)
    return Agreement(
        float(np.count_nonzero(equal) / equal.size),
        float(np.count_nonzero(equal & foreground) / counted) if counted else 1.0,
        dice,
        {label: int(sizes[label]) for label in dice},
    )
