"""How well an approximate result agrees with the exact one: what a few tiles that were computed exactly again say."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

REDUCED, CROP, REGIONS = "reduced", "crop", "regions"
APPROXIMATIONS = (REDUCED, CROP, REGIONS)
"""reduced: the networks ran in reduced precision. crop: each ran only where its structures can be (``--crop body``).
regions: few structures were asked for, and each network ran only where those can be."""


@dataclass(frozen=True)
class Share:
    """Of voxels whose label is the exact one: an estimate and its 95 % interval, each 0..1."""

    value: float
    low: float
    high: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.low <= self.value <= self.high <= 1.0:
            raise ValueError(f"no share with an interval: {self.low}, {self.value}, {self.high}")


@dataclass(frozen=True)
class Agreement:
    """Agreement of the labels, estimated from tiles."""

    approximations: tuple[str, ...]
    """Of APPROXIMATIONS."""
    tiles: int
    """Computed exactly again."""
    of_tiles: int
    """That the exact job would have."""
    voxels: Share
    """Of all voxels of the image."""
    foreground: Share
    """Of those where the approximate or the exact labels have a structure."""
    lowest_structure: str
    """The name of the structure with the lowest agreement among those with enough voxels to speak of; empty where
    there is none."""
    lowest: Share | None
    """Of the voxels that the approximate or the exact labels give to that structure."""
    threshold: float
    """Of the foreground, below which a warning is given."""
    seconds: float
    """What the check took."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"approximations": list(self.approximations)}


def agreement_from_json(fields: dict[str, Any]) -> Agreement:
    """The agreement that ``to_json`` wrote. Raises SegmentationError("BAD_REQUEST")."""
    try:
        lowest = fields["lowest"]
        shares = {name: Share(**fields[name]) for name in ("voxels", "foreground")}
        shares["lowest"] = None if lowest is None else Share(**lowest)
        return Agreement(**(fields | shares | {"approximations": tuple(fields["approximations"])}))
    except (KeyError, TypeError, ValueError) as error:
        raise SegmentationError("BAD_REQUEST", detail="agreement") from error
