"""A small picture of a CT with the outlines of its structures, drawn while both are in memory."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import known_structures

from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.export.sheet.body_planes import BodyGrid, BodyPlane, PlaneChoice, PlaneMask, View
from TotalSegmentatorEngine.export.sheet.drawing import Outline, Pin, draw
from TotalSegmentatorEngine.export.sheet.pictures import view_of
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume

MOST_BYTES = 18_000
"""Of a picture, unless the worst of _QUALITIES needs more: those of 1,000 CTs fit into one page of 30 MB."""

_LONGEST = 224
"""Pixels of the longer side of each of the two pictures."""
_GAP = 4
_QUALITIES = (80, 70, 60, 50, 40, 30)
"""Of the JPEG; the first that is small enough. A CT with much noise needs a lower one."""
_THINNED = 96
"""Voxels along an axis that are enough to choose the planes by: as good as all, in a hundredth of the time."""
_OTHER_COLOUR = (200, 200, 200)


def thumbnail_jpeg(
    volume: Volume, layers: Sequence[np.ndarray], structures: Sequence[FoundStructure], flags: Sequence[Flag] = ()
) -> bytes:
    """A JPEG of at most about MOST_BYTES: a coronal plane, beside it an axial one - or the one in which the most
    serious of ``flags`` is seen, ringed; outlines of structures with flags of the most serious level are bold.

    ``volume``: HU, (k, j, i), of any orientation; ``layers``: unsigned whole numbers, each of the same shape;
    ``structures``: what they mean. The patient's right is at the left of coronal and axial planes, as marked.
    """
    body = BodyGrid(volume.geometry)
    flag = shown_flag(flags)
    planes = _planes(body, volume.geometry, layers, structures, flag)
    levels = [level for level in (Level.WRONG, Level.CHECK) if any(each.level == level for each in flags)]
    asking = {name for each in flags if each.level in levels[:1] for name in (each.structure, *each.others)}
    pictures = []
    for plane in planes:
        outlines = _outlines(body, layers, plane, structures, asking)
        pins = [Pin(*body.place_on(flag.place_ras_mm, plane.view))] if flag is not None else []
        values = body.picture(volume.array, plane)
        drawn = draw(values, body.pixel_mm(plane.view), outlines, plane.view.marks, _LONGEST, pins)
        pictures.append(drawn.image)
    return _jpeg(_side_by_side(pictures))


def shown_flag(flags: Sequence[Flag]) -> Flag | None:
    """The first of the most serious ones that have a place; None where the scan's ends are all there is to say."""
    placed = [flag for flag in flags if flag.place_ras_mm is not None and flag.level != Level.CUT]
    return min(placed, key=lambda flag: Level.FROM_WORST.index(flag.level), default=None)


def _planes(
    body: BodyGrid,
    geometry: Geometry,
    layers: Sequence[np.ndarray],
    structures: Sequence[FoundStructure],
    flag: Flag | None,
) -> list[BodyPlane]:
    steps = [max(1, size // _THINNED) for size in geometry.shape]
    every = tuple(slice(None, None, step) for step in steps)
    thinned = [np.ascontiguousarray(labels[every]) for labels in layers]
    grid = Geometry(thinned[0].shape, geometry.ijk_to_ras @ np.diag([*steps[::-1], 1.0]))
    coarse = BodyGrid(grid)
    choice = PlaneChoice(coarse)
    for structure in structures:
        mask = VoxelMask.cropped(thinned[structure.layer] == structure.label)
        if not mask.is_empty:
            choice.add(mask, is_spine=False)
    coronal, _, _, axial, _ = choice.planes()
    if flag is not None:
        return [
            body.through(coarse.middle(coronal), View.CORONAL),
            body.through(flag.place_ras_mm, view_of(flag.structure)),
        ]
    return [body.through(coarse.middle(plane), plane.view) for plane in (coronal, axial)]


def _outlines(
    body: BodyGrid,
    layers: Sequence[np.ndarray],
    plane: BodyPlane,
    structures: Sequence[FoundStructure],
    asking: set[str],
) -> list[Outline]:
    on_plane = [body.picture(labels, plane) for labels in layers]
    present = [set(np.unique(picture).tolist()) for picture in on_plane]
    known = known_structures()
    outlines = []
    for structure in structures:
        if structure.label in present[structure.layer]:
            pixels = on_plane[structure.layer] == structure.label
            colour = known[structure.name].colour if structure.name in known else _OTHER_COLOUR
            outlines.append(Outline(_cropped(pixels), colour, structure.name in asking))
    return outlines


def _cropped(mask: np.ndarray) -> PlaneMask:
    """``mask`` has a pixel."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    part = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return PlaneMask(part, (int(rows[0]), int(columns[0])))


def _side_by_side(pictures: Sequence[Image.Image]) -> Image.Image:
    """From the top, on black."""
    width = sum(picture.width for picture in pictures) + _GAP * (len(pictures) - 1)
    whole = Image.new("RGB", (width, max(picture.height for picture in pictures)))
    left = 0
    for picture in pictures:
        whole.paste(picture, (left, 0))
        left += picture.width + _GAP
    return whole


def _jpeg(picture: Image.Image) -> bytes:
    content = b""
    for quality in _QUALITIES:
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality, subsampling="4:2:0", optimize=True)
        content = stream.getvalue()
        if len(content) <= MOST_BYTES:
            break
    return content
