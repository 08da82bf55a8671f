"""How large a structure is, how dense, and where it lies: what the command ``review`` measures of a segmentation that
the Slicer module handed over."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import SegmentationError

_VERSION = 1


@dataclass(frozen=True)
class StructureMeasures:
    structure: str
    """Name as in the label tables."""
    volume_ml: float
    mean_hu: float | None
    """None without a CT."""
    bounds_ras_mm: tuple[float, float, float, float, float, float]
    """Lowest and highest R, A and S in mm of the box of its voxels, in the space of the CT's own matrix."""


def measures_to_json(measures: Iterable[StructureMeasures]) -> str:
    return json.dumps({"version": _VERSION, "structures": [dataclasses.asdict(each) for each in measures]}, indent=1)


def measures_from_json(text: str) -> list[StructureMeasures]:
    """Raises SegmentationError("BAD_REQUEST") for what ``measures_to_json`` did not write."""
    try:
        fields = json.loads(text)
        if fields["version"] != _VERSION:
            raise ValueError("version")
        return [_measures(each) for each in fields["structures"]]
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error


def _measures(fields: dict) -> StructureMeasures:
    hu = fields["mean_hu"]
    r0, r1, a0, a1, s0, s1 = (float(x) for x in fields["bounds_ras_mm"])
    mean_hu = None if hu is None else float(hu)
    return StructureMeasures(str(fields["structure"]), float(fields["volume_ml"]), mean_hu, (r0, r1, a0, a1, s0, s1))
