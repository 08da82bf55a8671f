"""What the benchmarks work on: models, CTs and folders, in the size that counts or in one for trying them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from benchmarks.inputs import cohort, large_ct, published_models, tissue_networks
from benchmarks.measuring.report import Report

REPOSITORY = Path(__file__).resolve().parents[3]
DEMO_MODEL = REPOSITORY / "Testing" / "demo_model" / "Dataset900_PhantomDemo104"
SHARED = REPOSITORY.parent / "shared"
"""Real data beside the checkout, which the project does not hold."""


@dataclass
class Workload:
    """``repeat`` measurements per figure. ``small``: tiny networks and CTs, for trying the benchmarks themselves.
    ``quick``: only what a benchmark measures daily (main.EngineBenchmark.quick)."""

    repeat: int = 5
    small: bool = False
    quick: bool = False
    base: Path = REPOSITORY / "build" / "benchmarks"
    report: Report = field(default_factory=Report)

    @property
    def folder(self) -> Path:
        """For all that is made once: models, CTs, results."""
        folder = self.base / ("small" if self.small else "published")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @property
    def cache_folder(self) -> Path:
        """What the engine remembers of this machine; kept from one benchmark to the next, apart from the user's."""
        return self.folder / "machine"

    @cached_property
    def models_folder(self) -> Path:
        """The family of 117 structures, which the peers run."""
        return self._models("models", published_models.MODELS)

    @cached_property
    def light_models_folder(self) -> Path:
        """The same family with a seventh of the arithmetic: as many tiles, of published patches."""
        architectures = published_models.SMALL if self.small else published_models.LIGHT
        return published_models.make_published_models(self.folder / "models-light", architectures)

    @cached_property
    def tissue_models_folder(self) -> Path:
        """The model of 3 mm, of published shape, with results that are worth a review: see tissue_networks.py."""
        return self._models("models-tissue", ("117-3mm",), tissue_networks.tissue_network)

    @cached_property
    def preview_models_folder(self) -> Path:
        """Likewise, and the networks of 1.5 mm whose preview it makes; these find noise."""
        self._models("models-preview", ("117-3mm",), tissue_networks.tissue_network)
        return self._models("models-preview", ("117-1.5mm",))

    @cached_property
    def own_model(self) -> Path:
        """A model folder of a user, which runs as nnU-Net itself would."""
        architecture = published_models.SMALL_OWN if self.small else published_models.LIGHT_OWN
        return published_models.make_own_model(self.folder / "own-model" / "Dataset900_Own", architecture)

    @cached_property
    def models_104_folder(self) -> Path:
        return self._models("models-104", published_models.MODELS_104)

    @cached_property
    def families_folder(self) -> Path:
        """The 117 structures at 3 and 6 mm, which find some of a phantom's organs, and a task that finds noise."""
        folder = self.folder / "models-families"
        architectures = published_models.SMALL if self.small else published_models.PUBLISHED
        published_models.make_published_models(
            folder, architectures, ("117-3mm", "117-6mm"), tissue_networks.tissue_network
        )
        return published_models.make_published_models(folder, architectures, ("kidney_cysts",))

    def _models(self, name: str, models: Sequence[str], network: published_models.MakeNetwork | None = None) -> Path:
        architectures = published_models.SMALL if self.small else published_models.PUBLISHED
        return published_models.make_published_models(self.folder / name, architectures, models, network)

    @property
    def scan(self) -> large_ct.Scan:
        return large_ct.SMALL if self.small else large_ct.CHEST_ABDOMEN

    def slices(self, count: int) -> int:
        """``count`` of the 300 slices of the scan that the figures name, in this size."""
        return math.ceil(count * self.scan.slices / large_ct.CHEST_ABDOMEN.slices)

    def ct(self, slices: int = 300) -> Path:
        """512 x 512 x ``slices`` voxels of 0.8 x 0.8 x 1.5 mm, uncompressed."""
        path = self.folder / "ct-{}.nii".format(slices)
        if not path.exists():
            self.report.say("making a CT of {} slices".format(slices))
        return large_ct.long_ct(path, self.scan, self.slices(slices))

    def cohort(self, count: int) -> list[Path]:
        """CTs of different patients, 512 x 512 x 150 voxels of 0.8 x 0.8 x 1.5 mm, as .nii.gz."""
        return cohort.cohort(self.folder / "cohort", self.scan, self.slices(150), count)

    def labels(self) -> Path:
        """Labels of structures_104 in ``ct`` of 300 slices."""
        return large_ct.labels_of(self.folder / "labels-300.nii", self.scan)

    def cropped_ct(self, name: str, size_mm: tuple[float, float, float], is_coarse: bool = False) -> Path:
        """The middle of ``ct``; ``size_mm`` along slices, rows and columns. A coarse one has voxels of about 3 mm."""
        if self.small:
            size_mm = tuple(length / 4 for length in size_mm)
        spacing = (self.scan.slice_mm, self.scan.pixel_mm, self.scan.pixel_mm)
        every = [max(round(3.0 / step), 1) if is_coarse else 1 for step in spacing]
        shape = [round(length / step / n) for length, step, n in zip(size_mm, spacing, every, strict=True)]
        return large_ct.cropped_ct(self.folder / "{}.nii".format(name), self.ct(), shape, every)

    def whole_body(self) -> tuple[Path, Path]:
        """512 x 512 x 1000 voxels of 0.8 x 0.8 x 1.5 mm, and their labels of structures_104."""
        ct, labels = self.folder / "whole-body.nii", self.folder / "whole-body-labels.nii"
        if not labels.exists():
            self.report.say("making a whole-body CT")
        large_ct.whole_body(ct, labels, self.slices(1000), self.scan.columns, 0.25 if self.small else 1.0)
        return ct, labels

    def result(self, name: str) -> Path:
        """Where a program writes its result; what was there is removed."""
        path = self.folder / "results" / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        return path
