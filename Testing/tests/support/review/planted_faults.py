"""Phantoms with a fault planted into their labels, for the rules of the review."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
from phantom import PhantomParameters, make_phantom
from phantom.phantom import Phantom, read_label_table
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorWire.messages.review import Flag

LABELS = read_label_table()
TRUNK = ((-230.0, 230.0), (-190.0, 180.0), (-260.0, 520.0))
"""From the thighs to the shoulders."""


@cache
def _phantom(parameters: PhantomParameters) -> Phantom:
    return make_phantom(parameters)


class PlantedFault:
    """Labels and CT of a phantom, free to be changed: arrays (k, j, i)."""

    def __init__(self, orientation: str = "LPS", view=TRUNK, **parameters) -> None:
        spacing = parameters.pop("spacing_mm", (4.0, 4.0, 4.0))
        made = _phantom(
            PhantomParameters(spacing_mm=spacing, orientation=orientation, field_of_view_mm=view, **parameters)
        )
        self.labels, self.ct = made.labels.copy(), made.ct.copy()
        self.geometry = Geometry(made.labels.shape, made.ijk_to_ras)

    @property
    def ras(self) -> np.ndarray:
        """[k, j, i, 3]: the place of each voxel in mm."""
        index = np.stack(np.indices(self.labels.shape)[::-1], axis=-1)
        return index @ self.geometry.ijk_to_ras[:3, :3].T + self.geometry.origin

    def mask(self, name: str) -> np.ndarray:
        return self.labels == LABELS[name]

    def centre(self, name: str) -> np.ndarray:
        """RAS in mm."""
        return self.ras[self.mask(name)].mean(axis=0)

    def remove(self, name: str, where: Callable[[np.ndarray], np.ndarray] = lambda ras: np.ones(ras.shape[:3], bool)):
        """Those voxels of a structure for which ``where``, given the places, is true. Returns where they were."""
        gone = self.mask(name) & where(self.ras)
        assert gone.any()
        self.labels[gone] = 0
        return gone

    def add_ball(self, name: str, centre, radius_mm: float) -> None:
        self.labels[np.linalg.norm(self.ras - np.asarray(centre), axis=-1) <= radius_mm] = LABELS[name]

    def swap(self, one: str, other: str) -> None:
        first, second = self.mask(one), self.mask(other)
        self.labels[first], self.labels[second] = LABELS[other], LABELS[one]

    def findings(self, **more) -> Findings:
        structures = [LabelledStructure(name, 0, label) for name, label in LABELS.items()]
        usual = {"ct": Volume(self.ct, self.geometry), "sought": LABELS}
        return Findings([self.labels], structures, self.geometry, **{**usual, **more})

    def flags(self, rule: str, **more) -> dict[str, Flag]:
        """Those of a rule, by structure."""
        found = [flag for flag in review(self.findings(**more)) if flag.rule == rule]
        assert len({flag.structure for flag in found}) == len(found)
        return {flag.structure: flag for flag in found}


def distance_mm(flag: Flag, place) -> float:
    """From the flag's place."""
    return float(np.linalg.norm(np.subtract(flag.place_ras_mm, place)))


def real_findings(shared: Path, labels: str = "reference_104_1.5mm") -> Findings:
    """Of a real CT of the abdomen with the published result of the 104-structure model."""
    folder = shared / "data" / "example_ct"
    images = [nibabel.load(folder / f"{name}.nii.gz") for name in (labels, "ct")]
    array = np.asarray(images[0].dataobj).astype(np.uint8).T
    geometry = Geometry(array.shape, images[0].affine)
    structures = [LabelledStructure(name, 0, label) for name, label in LABELS.items()]
    ct = Volume(np.asarray(images[1].dataobj).astype(np.int16).T, geometry)
    return Findings([array], structures, geometry, ct, sought=LABELS)
