"""Pictures of the pair in which each structure agrees least, drawn while that pair is in memory."""

from __future__ import annotations

import numpy as np

from TotalSegmentatorEngine.export.cohort.outcome import WorstCase
from TotalSegmentatorEngine.export.compare.comparison import ComparisonRow
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask, union
from TotalSegmentatorEngine.export.sheet.body_planes import BodyGrid, BodyPlane, View
from TotalSegmentatorEngine.export.sheet.drawing import Outline, Part, draw
from TotalSegmentatorEngine.imaging.geometry import Volume

OURS_COLOUR, THEIRS_COLOUR = (255, 240, 60), (90, 190, 255)
"""Told apart by everybody who sees colours, and thin and bold for those who do not."""
_PIXELS = 300
_MARGIN_MM, _LEAST_MM = 15.0, 70.0
"""Around the structure, and the smallest side of what is shown."""
_MOST_BYTES = 2_000_000
"""Of all pictures together: the report stays below 5 MB."""

Badness = tuple[float, float]


class WorstCases:
    """Keeps one case for each structure; where there are too many, those that agree best go."""

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._cases: dict[str, WorstCase] = {}

    @property
    def found(self) -> dict[str, WorstCase]:
        """The worst first."""
        return dict(sorted(self._cases.items(), key=lambda item: _badness(item[1].row)))

    def wants(self, structure: str, row: ComparisonRow) -> bool:
        """Whether this is worse than what is known, and both sides differ at all."""
        if row.dice is None or row.dice == 1.0:
            return False
        known = self._cases.get(structure)
        return known is None or _badness(row) < _badness(known.row)

    def add(
        self,
        structure: str,
        label: str,
        number: int,
        row: ComparisonRow,
        sides: tuple[VoxelMask, VoxelMask],
        ct: Volume,
    ) -> None:
        """``sides``: ours and theirs on the grid of ``ct``, whose values are HU."""
        title, jpeg = _picture(sides, ct)
        self._cases[structure] = WorstCase(structure, label, number, row, jpeg, title)
        while sum(len(case.jpeg) for case in self._cases.values()) > self._most_bytes:
            del self._cases[list(self.found)[-1]]


def _badness(row: ComparisonRow) -> Badness:
    """As ``worst_first`` has it: the lowest Dice first, then the largest distance."""
    return (row.dice, -(float("inf") if row.hausdorff95_mm is None else row.hausdorff95_mm))


def _picture(sides: tuple[VoxelMask, VoxelMask], ct: Volume) -> tuple[str, bytes]:
    """The axial plane on which most voxels belong to one side only."""
    body = BodyGrid(ct.geometry)
    whole = union(sides)
    parts = [mask.part(whole.start, whole.voxels.shape) for mask in sides]
    differing, start = body.turned(VoxelMask(parts[0] ^ parts[1], whole.start, whole.shape))
    plane = BodyPlane(View.AXIAL, start[0] + int(np.count_nonzero(differing, axis=(1, 2)).argmax()))
    outlines = []
    for mask, colour, is_bold in zip(sides, (OURS_COLOUR, THEIRS_COLOUR), (False, True), strict=True):
        on_plane = body.mask(mask, plane) if not mask.is_empty else None
        if on_plane is not None:
            outlines.append(Outline(on_plane, colour, is_bold))
    values = body.picture(ct.array, plane)
    part = _part(outlines, body.pixel_mm(View.AXIAL), values.shape)
    drawn = draw(values, body.pixel_mm(View.AXIAL), outlines, View.AXIAL.marks, _PIXELS, part=part)
    return f"Axial, S {body.position_mm(plane):.0f} mm", drawn.jpeg()


def _part(outlines: list[Outline], pixel_mm: tuple[float, float], shape: tuple[int, int]) -> Part:
    """What both outlines fill, with a margin, inside the picture; a square where there is room."""
    boxes = np.array(
        [(*outline.mask.start, *(np.array(outline.mask.start) + outline.mask.voxels.shape)) for outline in outlines]
    )
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    pixels = np.array(pixel_mm)
    side = max(_LEAST_MM, float(((high - low) * pixels).max()) + 2 * _MARGIN_MM)
    stretches = []
    for axis in range(2):
        count = min(shape[axis], round(side / pixels[axis]))
        first = int(np.clip(round((low[axis] + high[axis] - count) / 2), 0, shape[axis] - count))
        stretches += [first, first + count]
    return Part(*stretches)
