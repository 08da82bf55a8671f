"""What was measured of each structure that was judged, as a JSON file for the Slicer module."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.messages.measures import StructureMeasures, measures_to_json

from TotalSegmentatorEngine.imaging.atomic_file import atomic_file
from TotalSegmentatorEngine.review.measures.findings import Finding, Findings
from TotalSegmentatorEngine.statistics.structure_statistics import mean_of


def write_measures(path: Path, findings: Findings) -> None:
    """Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
    text = measures_to_json(_measures(findings)).encode("utf-8")
    with atomic_file(path, len(text)) as stream:
        stream.write(text)


def _measures(findings: Findings) -> Iterator[StructureMeasures]:
    for finding in findings.asked:
        hu = finding.hu
        mean_hu = None if hu is None else round(mean_of(hu), 1)
        yield StructureMeasures(finding.name, round(finding.volume_ml, 3), mean_hu, _bounds(findings, finding))


def _bounds(findings: Findings, finding: Finding) -> tuple[float, float, float, float, float, float]:
    """To the outer faces of the voxels."""
    ends = itertools.product(*((part.start - 0.5, part.stop - 0.5) for part in finding.box))
    corners = np.array([findings.ras(end) for end in ends])
    (r0, a0, s0), (r1, a1, s1) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return tuple(round(x, 2) for x in (r0, r1, a0, a1, s0, s1))
