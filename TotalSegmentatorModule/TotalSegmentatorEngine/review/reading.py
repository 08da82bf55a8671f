"""What is reviewed: a segmentation from files or from Slicer's transfer, on the CT's grid."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.export.core.label_volume import LayerStack
from TotalSegmentatorEngine.export.core.segmentation import Segment, Segmentation
from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.export.sources.source import ExportSource
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure

Warn = Callable[[Problem], None]


def findings_of_source(source: ExportSource, coarse: Findings | None, warn: Warn) -> Findings:
    """The structures of ``source`` with known names, on the CT's grid.

    Raises SegmentationError: REVIEW_NO_STRUCTURES, and what ``source.aligned``, ``source.ct`` and PlacedSegmentation
    raise.
    """
    ct = None if source.ct is None else source.ct()
    layers, structures = _on_grid(source.aligned(), source.grid, warn)
    return Findings(layers, structures, source.grid, ct, coarse=coarse)


def findings_of_file(path: Path, labels: str | None, warn: Warn) -> Findings:
    """The structures of a segmentation file on its own grid, for a second opinion. Raises SegmentationError:
    REVIEW_NO_STRUCTURES, and what ``read_segmentation`` raises."""
    segmentation = read_segmentation(path, labels, warn)
    grid = segmentation.layers[0].geometry
    layers, structures = _on_grid(segmentation, grid, warn)
    return Findings(layers, structures, grid)


def _on_grid(
    segmentation: Segmentation, grid: Geometry, warn: Warn
) -> tuple[list[np.ndarray], list[LabelledStructure]]:
    """Label images (k, j, i) of ``grid``, and what lies in them."""
    placed = place(segmentation, grid)
    stack = LayerStack(grid.shape, np.uint16)
    structures = []
    for number, segment in enumerate(_known(segmentation.segments, warn), start=1):
        layer = stack.add(placed.mask(segment), number)
        structures.append(LabelledStructure(segment.structure.name, layer, number))
    return stack.layers, structures


def _known(segments: tuple[Segment, ...], warn: Warn) -> list[Segment]:
    """Those whose names the label tables hold, each structure once."""
    by_name: dict[str, Segment] = {}
    others = []
    for segment in segments:
        if segment.structure is None or segment.structure.name in by_name:
            others.append(segment.name)
        else:
            by_name[segment.structure.name] = segment
    if not by_name:
        raise SegmentationError("REVIEW_NO_STRUCTURES")
    if others:
        warn(Problem("REVIEW_NOT_KNOWN", {"count": len(others), "names": listed(others)}))
    return list(by_name.values())
