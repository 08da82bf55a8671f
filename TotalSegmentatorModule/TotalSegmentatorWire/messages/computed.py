"""The voxels of each structure as they were computed, small enough to be kept with the scene.

A structure's bounding box, one bit a voxel (first voxel in the highest bit, C order k, j, i), compressed by zlib and
written as base64 text: with 59 structures of a real CT, 0.5 % of the CT's own size on a fine grid.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import SegmentationError

COMPUTED_VERSION = 1
_LEVEL = 6
"""Of zlib: level 9 takes four times as long for a tenth less."""


@dataclass(frozen=True)
class ComputedStructure:
    start: list[int]
    """k, j, i of the box's first voxel on the grid."""
    shape: list[int]
    """k, j, i of the box."""
    bits: str

    @classmethod
    def packed(cls, start: list[int], shape: list[int], bits: bytes) -> ComputedStructure:
        """``bits`` of the whole box, eight voxels a byte."""
        return cls(start, shape, base64.b64encode(zlib.compress(bits, _LEVEL)).decode("ascii"))

    def unpacked(self) -> bytes:
        """Eight voxels a byte. Raises SegmentationError("BAD_REQUEST")."""
        try:
            bits = zlib.decompress(base64.b64decode(self.bits, validate=True))
        except (ValueError, zlib.error) as error:
            raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error
        voxels = self.shape[0] * self.shape[1] * self.shape[2]
        if len(bits) != (voxels + 7) // 8:
            raise SegmentationError("BAD_REQUEST", detail="the voxels do not match their box")
        return bits


@dataclass(frozen=True)
class ComputedStructures:
    """All structures of one result, on its grid."""

    grid_shape: list[int]
    """k, j, i"""
    ijk_to_ras: list[float]
    """16 numbers, row by row."""
    structures: Mapping[str, ComputedStructure]
    """By name, as in the label tables."""


def computed_to_json(computed: ComputedStructures) -> str:
    return json.dumps({"version": COMPUTED_VERSION, **dataclasses.asdict(computed)}, separators=(",", ":"))


def computed_from_json(text: str) -> ComputedStructures:
    """Raises SegmentationError("BAD_REQUEST")."""
    try:
        fields = json.loads(text)
        if fields.pop("version") != COMPUTED_VERSION:
            raise ValueError("version")
        structures = {name: ComputedStructure(**each) for name, each in fields.pop("structures").items()}
        return ComputedStructures(structures=structures, **fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SegmentationError("BAD_REQUEST", detail=type(error).__name__) from error
