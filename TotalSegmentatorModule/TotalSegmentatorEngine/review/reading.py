"""What is reviewed: a segmentation from files or from Slicer's transfer, on the CT's grid."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.review_thresholds import threshold
from TotalSegmentatorWire.tables.structures import family_of

from TotalSegmentatorEngine.export.core.label_volume import LayerStack
from TotalSegmentatorEngine.export.core.segmentation import Segment, Segmentation
from TotalSegmentatorEngine.export.core.shown_names import listed
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from TotalSegmentatorEngine.export.sources.source import ExportSource
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure

Warn = Callable[[Problem], None]


@dataclass(frozen=True, eq=False)
class HeldReview:
    """What a resident process has of an earlier review."""

    ct: Volume
    findings: Findings | None
    """None where only the CT is there."""


def findings_of_source(
    source: ExportSource,
    coarse: Sequence[Findings],
    warn: Warn,
    only: Collection[str] | None = None,
    check_cancelled: Callable[[], None] = lambda: None,
    held: HeldReview | None = None,
) -> Findings:
    """The structures of ``source`` with known names, on the CT's grid. ``only``, ``check_cancelled`` as for Findings;
    ``held``: takes the place of the CT of ``source``, which then has the same grid.

    Raises SegmentationError: REVIEW_NO_STRUCTURES, BAD_REQUEST where it has another one, and what ``source.aligned``,
    ``source.ct`` and PlacedSegmentation raise.
    """
    layers, structures = _on_grid(source.aligned(), source.grid, warn)
    sought = _sought(structures)
    if held is None:
        ct, known = None if source.ct is None else source.ct(), None
    elif not held.ct.geometry.matches(source.grid):
        raise SegmentationError("BAD_REQUEST", detail="another grid")
    else:
        ct, known = held.ct, held.findings
        sought |= frozenset() if known is None else known.sought  # of a job for a few structures, perhaps
    return Findings(
        layers, structures, source.grid, ct, sought, coarse, only, known=known, check_cancelled=check_cancelled
    )


def findings_of_file(path: Path, labels: str | None, warn: Warn) -> Findings:
    """The structures of a segmentation file on its own grid, for a second opinion. Raises SegmentationError:
    REVIEW_NO_STRUCTURES, and what ``read_segmentation`` raises."""
    segmentation = read_segmentation(path, labels, warn)
    grid = segmentation.layers[0].geometry
    layers, structures = _on_grid(segmentation, grid, warn)
    return Findings(layers, structures, grid, sought=_sought(structures))


def _sought(structures: Collection[LabelledStructure]) -> frozenset[str]:
    """What the segmentation was meant to hold: no file says it, but nobody asks for so many structures one by one."""
    return family_of([structure.name for structure in structures], threshold("sought_structures"))


def _on_grid(
    segmentation: Segmentation, grid: Geometry, warn: Warn
) -> tuple[list[np.ndarray], list[LabelledStructure]]:
    """Label images (k, j, i) of ``grid``, and what lies in them."""
    placed = place(segmentation, grid)
    known = _known(segmentation.segments, warn)
    images = {layer: placed.image(layer) for layer in {segment.layer for segment in known}}
    layers = [_unsigned(image) for image in images.values() if image is not None]
    places = {layer: place for place, layer in enumerate(each for each in images if images[each] is not None)}
    others, structures = LayerStack(grid.shape, np.uint16), []
    for number, segment in enumerate(known, start=1):
        if segment.layer in places:
            structures.append(LabelledStructure(segment.structure.name, places[segment.layer], segment.label))
        else:
            place_of_other = len(places) + others.add(placed.mask(segment), number)
            structures.append(LabelledStructure(segment.structure.name, place_of_other, number))
    return layers + others.layers, structures


def _unsigned(image: np.ndarray) -> np.ndarray:
    """Whole numbers of at least 0 as the review wants them."""
    return image if image.dtype.kind == "u" else image.astype(np.min_scalar_type(image.max()))


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
