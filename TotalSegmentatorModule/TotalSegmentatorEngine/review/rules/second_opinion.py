"""Where a coarser model of the same CT finds another shape.

Disagreement between models is the best simple sign of a failure under a change of scanners or patients (Zenk et al.,
Medical Image Analysis 2025;101:103392). What counts is the volume far from the other model's structure: a Dice score
would flag every thin structure and every sliver at the end of the scan.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.ndimage import affine_transform, distance_transform_edt
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.tables.review_thresholds import threshold

from TotalSegmentatorEngine.imaging.mask_pieces import largest_piece
from TotalSegmentatorEngine.review.measures.findings import Finding, Findings

Box = tuple[slice, slice, slice]


def second_opinion(findings: Findings) -> Iterator[Flag]:
    """The structures that lie more than 6 mm apart, or two voxels of a coarser model, by the volume that does; the
    largest first. Of several coarser models the first that could have found a structure is asked about it."""
    flags: list[Flag] = []
    compared: set[str] = set()
    for coarse in findings.coarse:
        names = sorted(filter(findings.is_asked, _comparable(findings, coarse) - compared))
        compared.update(names)
        sampled = _OnCoarseGrid(findings, coarse) if names else None
        for name in names:
            findings.check_cancelled()
            flags.extend(_differences(name, sampled))
    yield from sorted(flags, key=lambda flag: -flag.numbers["volume_ml"])


def _comparable(findings: Findings, coarse: Findings) -> set[str]:
    """Where the coarse model could have found them; without knowing that, those that both found."""
    return set(findings) & (coarse.sought or set(coarse))


def _differences(name: str, sampled: _OnCoarseGrid) -> Iterator[Flag]:
    fine, coarse, box = sampled.masks(name)
    distance_mm = max(threshold("second_opinion_mm"), threshold("second_opinion_voxels") * float(sampled.spacing.max()))
    beyond = (fine & (_distance(coarse, sampled.spacing) > distance_mm)) | (
        coarse & (_distance(fine, sampled.spacing) > distance_mm)
    )
    volume_ml = np.count_nonzero(beyond) * sampled.voxel_ml
    if volume_ml <= max(threshold("second_opinion_ml"), threshold("second_opinion_share") * sampled.volume_ml(name)):
        return
    place = sampled.ras(_deepest_of_largest(beyond, sampled.spacing) + [part.start for part in box])
    numbers = {"volume_ml": round(volume_ml, 1), "distance_mm": round(distance_mm, 1)}
    yield Flag("second_opinion", Level.CHECK, name, (), tuple(place), numbers)


def _distance(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """mm from each voxel to the nearest one of the mask; infinite where that is empty."""
    return distance_transform_edt(~mask, sampling=spacing) if mask.any() else np.full(mask.shape, np.inf)


def _deepest_of_largest(mask: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """The index [S, A, R] of the voxel deepest within the largest piece."""
    piece = largest_piece(mask)
    depth = distance_transform_edt(np.pad(piece, 1), sampling=spacing)
    return np.array(np.unravel_index(np.argmax(depth), depth.shape)) - 1


class _OnCoarseGrid:
    """The structures of both on the coarse grid: it is small, and 6 mm need no more."""

    def __init__(self, findings: Findings, coarse: Findings) -> None:
        self._fine_findings = findings
        self._coarse = coarse
        self.spacing = coarse.spacing
        self.voxel_ml = coarse.voxel_ml
        self.ras = coarse.ras
        to_fine = np.linalg.inv(findings.geometry.ijk_to_ras) @ coarse.geometry.ijk_to_ras
        matrix = to_fine[2::-1, 2::-1]
        offset = to_fine[2::-1, 3]
        self._layers = [
            affine_transform(layer, matrix, offset, output_shape=coarse.shape, order=0, mode="constant", cval=0)
            for layer in findings.layers
        ]

    def volume_ml(self, name: str) -> float:
        return self._fine_findings[name].volume_ml

    def masks(self, name: str) -> tuple[np.ndarray, np.ndarray, Box]:
        """Both structures in the box of both, and that box of the coarse grid [S, A, R]."""
        fine = self._fine_findings[name]
        boxes = [self._box(fine)]
        if name in self._coarse:
            boxes.append(self._coarse[name].box)
        box = tuple(
            slice(min(part.start for part in axis), max(part.stop for part in axis))
            for axis in zip(*boxes, strict=True)
        )
        inside = fine.within(self._layers, box)
        other = self._coarse[name].within(self._coarse.layers, box) if name in self._coarse else np.zeros_like(inside)
        return inside, other, box

    def _box(self, finding: Finding) -> Box:
        """The box of the coarse grid that holds a structure of the fine one."""
        corners = np.array(
            [[s, a, r] for s in _ends(finding.box[0]) for a in _ends(finding.box[1]) for r in _ends(finding.box[2])]
        )
        moved = np.array([self._coarse.index(self._fine_findings.ras(corner)) for corner in corners])
        low = np.clip(np.floor(moved.min(axis=0)), 0, np.array(self._coarse.shape) - 1).astype(int)
        high = np.clip(np.ceil(moved.max(axis=0)) + 1, low + 1, self._coarse.shape).astype(int)
        return tuple(slice(int(first), int(last)) for first, last in zip(low, high, strict=True))


def _ends(part: slice) -> tuple[int, int]:
    return part.start, part.stop - 1
