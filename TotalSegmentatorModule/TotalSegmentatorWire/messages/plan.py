"""What a job is going to do, known before its first tile: a value that the command line prints and the panel shows."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

CROPPING = "cropping"
"""Purpose of a pass that finds the box of the CT in which another model runs, as published for that one."""
LOCALIZATION = "localization"
"""Purpose of a pass with a coarse model that finds out where structures are."""
SEGMENTATION = "segmentation"
SECOND_OPINION = "second opinion"
"""Purpose of a pass with a coarse model whose result the review compares with the fine one."""
SELF_CHECK = "self-check"
"""Purpose of the few tiles of an approximate job that are computed exactly, too."""
PREVIEW = "preview"
"""Purpose of a pass with a fast model whose result is shown until the fine one is there."""

SUMS_IN_MEMORY, SUMS_IN_HALF, SUMS_ON_DISK = "memory", "half", "disk"
"""Where the weighted sums of overlapping tiles are kept: float32 or float16 in memory, or in a temporary file."""


@dataclass(frozen=True)
class PlannedPass:
    """One network over one region of the image."""

    part: str
    """Name of the part model, as its dataset is called."""
    purpose: str
    """CROPPING, LOCALIZATION, PREVIEW, SEGMENTATION, SECOND_OPINION or SELF_CHECK. A pass that serves several is named
    by the result that it gives, if it gives one, or by the preview."""
    shape: list[int]
    """Voxels of the region at the network's spacing: slices, rows, columns in the network's order."""
    is_cropped: bool
    """Whether the region is less than the whole image."""
    tiles: int
    seconds: float | None
    """None where this machine has not run such a network yet and no trial could be made."""
    label_voxels: int = 0
    """Voxels whose label is found of the network's predictions."""
    label_seconds: float | None = None
    """Of ``seconds``, what finding them takes; None where ``seconds`` is."""
    model: str = ""
    """Id of the model whose part this is."""
    tile_voxels: int = 0
    """Of one tile: what a tile costs, compared with those of other networks."""
    tile_seconds: float | None = None
    """Of a tile after the first, without its labels; None where ``seconds`` is."""
    load_seconds: float = 0.0
    """Of ``seconds``, until the network is ready to run; the comparison of runtimes, which is made once, included."""
    image_seconds: float = 0.0
    """To resample the image; 0 where an earlier pass has made it. Not a part of ``seconds``."""
    is_estimated: bool = False
    """Whether ``seconds`` counts with what other networks or a short trial took: this one never ran on this machine."""


@dataclass(frozen=True)
class Plan:
    """The whole job. Seconds are wall time on this machine, bytes the peak of the whole process."""

    models: list[str]
    """Ids of the catalogue, or the dataset names of model folders, as they were requested."""
    profiles: dict[str, str]
    """Id of the profile of each of these models."""
    device: str
    runtime: str
    """One of options.RUNTIMES but "auto"."""
    precision: str
    """One of options.PRECISIONS but "auto"."""
    passes: list[PlannedPass]
    seconds: float | None
    """Of everything from the CT in memory to the finished labels; None while it is unknown."""
    peak_bytes: int
    available_bytes: int | None
    """What the machine had to give when the plan was made; None where the system does not report it."""
    elapsed_seconds: float = 0.0
    """Of ``seconds``, what had passed when the plan was made."""
    sums: str = SUMS_IN_MEMORY
    sums_on_host: bool = False
    """The sums are kept in the computer's own memory although the network runs on a GPU."""
    keeps_networks: bool = True
    """False: one network is in memory at a time."""
    tile_batch: int = 1
    notes: list[str] = field(default_factory=list)
    """Codes of WARNINGS (errors/problem.py) that say what was planned around."""
    is_preliminary: bool = False
    """True while regions are still estimates, before the passes that find them have run."""

    @property
    def tiles(self) -> int:
        return sum(planned.tiles for planned in self.passes)

    @property
    def is_estimated(self) -> bool:
        """Whether ``seconds`` rests on networks that never ran on this machine."""
        return self.seconds is not None and any(planned.is_estimated for planned in self.passes)

    @property
    def tile_voxels(self) -> int:
        """Of all tiles."""
        return sum(planned.tiles * planned.tile_voxels for planned in self.passes)

    @property
    def label_voxels(self) -> int:
        return sum(planned.label_voxels for planned in self.passes)

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def plan_from_json(fields: dict[str, Any]) -> Plan:
    """The plan that ``to_json`` wrote. Raises SegmentationError("BAD_REQUEST")."""
    try:
        passes = [PlannedPass(**planned) for planned in fields["passes"]]
        return Plan(**{**fields, "passes": passes})
    except (KeyError, TypeError) as error:
        raise SegmentationError("BAD_REQUEST", detail="plan") from error
