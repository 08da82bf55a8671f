"""Holes in solid structures: unlabelled voxels that the structure encloses on all sides."""

from __future__ import annotations

from collections.abc import Iterator

import cc3d
import numpy as np
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.rounding import rounded
from TotalSegmentatorWire.tables.structure_rows import rows_by_structure

from TotalSegmentatorEngine.review.measures.findings import Finding, Findings


def holes(findings: Findings) -> Iterator[Flag]:
    rows = rows_by_structure("holes.csv", ("hole_ml",))
    for finding in findings.asked:
        if finding.name in rows:
            found = _holes(findings, finding, float(rows[finding.name]["hole_ml"]))
            if found:
                largest = max(found, key=len)
                numbers = {
                    "volume_ml": rounded(sum(len(hole) for hole in found) * findings.voxel_ml),
                    "holes": len(found),
                }
                place = findings.nearest_of(largest, largest.mean(axis=0))
                yield Flag("holes", Level.CHECK, finding.name, (), place, numbers)


def _holes(findings: Findings, finding: Finding, smallest_ml: float) -> list[np.ndarray]:
    """Of each hole the voxels, [n, 3] of the grid. Outside: what hangs together, by faces, with the box's surroundings;
    voxels that another structure has are no hole."""
    outside = np.pad(~finding.mask, 1, constant_values=True)
    numbers, count = cc3d.connected_components(outside, connectivity=6, return_N=True)
    if count == 1:
        return []
    measured = cc3d.statistics(numbers)
    start = np.array([part.start for part in finding.box]) - 1
    found = []
    for number in range(1, len(measured["voxel_counts"])):
        if number != numbers[0, 0, 0] and measured["voxel_counts"][number] * findings.voxel_ml >= smallest_ml:
            box = measured["bounding_boxes"][number]
            voxels = np.argwhere(numbers[box] == number) + start + [part.start for part in box]
            voxels = voxels[findings.is_unlabelled(voxels)]
            if len(voxels) * findings.voxel_ml >= smallest_ml:
                found.append(voxels)
    return found
