"""A label map to plant faults in, and what was planted."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from phantom import Phantom
from phantom.phantom import read_label_table

VERTEBRAE = (
    [f"vertebrae_C{n}" for n in range(1, 8)]
    + [f"vertebrae_T{n}" for n in range(1, 13)]
    + [f"vertebrae_L{n}" for n in range(1, 6)]
)
"""From the head to the feet."""
SIDES = ("left", "right")
RIBS = {side: [f"rib_{side}_{n}" for n in range(1, 13)] for side in SIDES}


@dataclass(frozen=True, eq=False)
class LabelMap:
    labels: np.ndarray
    """uint8 (k, j, i)."""
    ijk_to_ras: np.ndarray
    """4x4, mm."""
    table: dict[str, int] = field(default_factory=read_label_table)
    ct: np.ndarray | None = None
    """int16 (k, j, i), HU."""
    coarse: np.ndarray | None = None
    """uint8 (k, j, i): what a coarser model finds, on the same grid."""

    @classmethod
    def of(cls, phantom: Phantom) -> LabelMap:
        return cls(phantom.labels.copy(), phantom.ijk_to_ras, ct=phantom.ct)

    def mask(self, name: str) -> np.ndarray:
        return self.labels == self.table[name]

    def indices(self, name: str) -> np.ndarray:
        """(n, 3): k, j, i of the structure's voxels."""
        return np.argwhere(self.mask(name))

    def points(self, name: str) -> np.ndarray:
        """(n, 3): RAS in mm of the structure's voxels."""
        return self.ras(self.indices(name))

    def centre(self, name: str) -> np.ndarray:
        return self.points(name).mean(axis=0)

    def ras(self, kji: np.ndarray) -> np.ndarray:
        return np.asarray(kji)[..., ::-1] @ self.ijk_to_ras[:3, :3].T + self.ijk_to_ras[:3, 3]

    def is_whole(self, name: str) -> bool:
        """There, and not at the border of the map."""
        indices = self.indices(name)
        last = np.array(self.labels.shape) - 1
        return len(indices) > 0 and not ((indices == 0) | (indices == last)).any()

    def whole(self, names: list[str]) -> list[str]:
        return [name for name in names if self.is_whole(name)]

    def present(self, names: list[str]) -> list[str]:
        return [name for name in names if self.mask(name).any()]

    @property
    def places(self) -> np.ndarray:
        """(k, j, i, 3): RAS in mm of each voxel."""
        return self.ras(np.stack(np.indices(self.labels.shape), axis=-1))

    @property
    def voxel_ml(self) -> float:
        return abs(float(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000

    def ball(self, centre: np.ndarray, radius_mm: float) -> np.ndarray:
        """bool (k, j, i)."""
        return np.linalg.norm(self.places - centre, axis=-1) <= radius_mm

    def renamed(self, new_names: dict[str, str | None]) -> LabelMap:
        """``new_names``: what each structure is called now; None: nothing. All at once, so that names can change
        places."""
        lookup = np.arange(256, dtype=np.uint8)
        for old, new in new_names.items():
            lookup[self.table[old]] = self.table[new] if new else 0
        return replace(self, labels=lookup[self.labels])

    def painted(self, mask: np.ndarray, name: str | None) -> LabelMap:
        labels = self.labels.copy()
        labels[mask] = self.table[name] if name else 0
        return replace(self, labels=labels)

    def with_ct(self, ct: np.ndarray) -> LabelMap:
        return replace(self, ct=ct)

    def with_coarse(self, labels: np.ndarray) -> LabelMap:
        return replace(self, coarse=labels)

    def cropped(self, part: tuple[slice, slice, slice]) -> LabelMap:
        """Only that part (k, j, i) of the map, which begins at the first voxel."""
        ct = None if self.ct is None else np.ascontiguousarray(self.ct[part])
        return replace(self, labels=np.ascontiguousarray(self.labels[part]), ct=ct)

    def moved(self, name: str, by_mm: np.ndarray, new_name: str | None = None, keep: bool = False) -> LabelMap:
        """The structure's voxels moved by whole voxels; what they cover is lost."""
        shift = np.rint(np.linalg.solve(self.ijk_to_ras[:3, :3], by_mm))[::-1].astype(int)
        indices = self.indices(name)
        labels = self.labels.copy()
        if not keep:
            labels[tuple(indices.T)] = 0
        there = indices + shift
        there = there[((there >= 0) & (there < labels.shape)).all(axis=1)]
        labels[tuple(there.T)] = self.table[new_name or name]
        return replace(self, labels=labels)

    def without_ribs(self) -> LabelMap:
        return self.renamed({name: None for names in RIBS.values() for name in names})


@dataclass(frozen=True, eq=False)
class PlantedFault:
    map: LabelMap
    rule: str
    structure: str
    level: str
    place: tuple[float, float, float]
    """RAS in mm."""
    others: tuple[str, ...] | None = None
    """None: whatever the rule tells."""
    region: np.ndarray | None = None
    """(n, 3): RAS in mm of a large fault, to any part of which a flag may point."""
    alike: tuple[str, ...] = ()
    """Rules that say the same, and may say it first."""


def shifted(names: list[str], by: int, order: list[str]) -> dict[str, str | None]:
    """Each of ``names`` with the name that follows it by ``by`` places in ``order``; None beyond its ends."""
    places = {name: order.index(name) + by for name in names}
    return {name: order[place] if 0 <= place < len(order) else None for name, place in places.items()}
