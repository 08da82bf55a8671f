"""Checks whether a structure's voxels are still those that the engine made.

The digest does not depend on how the image around them is stored: a segmentation that went through Slicer comes back
with other extents, and a DICOM series may list its slices in the opposite order of the volume that Slicer made of it.
It is made of the structure's runs, stretches along the patient's left-right axis, so that one pass over a label map
serves all of its structures, however far they reach.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.messages.segment import FoundStructure

from TotalSegmentatorEngine.imaging.geometry import Geometry, canonical_reorientation

if TYPE_CHECKING:
    from hashlib import blake2b

    from TotalSegmentatorEngine.imaging.geometry import Reorientation

Box = tuple[slice, slice, slice]

SAME_PLACE_MM = 0.1
"""Positions come back through files that round them; an edit moves a boundary by a whole voxel."""

_DIGEST_BYTES = 16


def voxel_digest(voxels: np.ndarray, start: tuple[int, int, int], grid: Geometry) -> str:
    """Of one structure. ``voxels``: bool (k, j, i), its bounding box, whose first voxel is ``start`` of ``grid``."""
    whole = tuple(slice(0, size) for size in voxels.shape)
    return label_digests(voxels.view(np.uint8), {1: whole}, grid, start)[1]


def label_digests(
    labels: np.ndarray,
    boxes: Mapping[int, Box],
    grid: Geometry,
    start: tuple[int, int, int] = (0, 0, 0),
    on_plane: Callable[[float], None] = lambda share: None,
) -> dict[int, str]:
    """By label: RAS position in mm of its box's first voxel in canonical order, then a digest of its voxels in the box.

    ``labels``: uint8 (k, j, i), whose first voxel is ``start`` of ``grid``. ``boxes``: each label's bounding box in it.
    ``on_plane`` gets the done share 0..1 before each plane; it may raise to stop.
    """
    turn = canonical_reorientation(grid)
    view = turn.view(labels)
    turned = {label: _turned(box, labels.shape, turn) for label, box in boxes.items()}
    hashes = {}
    for label, box in turned.items():
        shape = np.array([part.stop - part.start for part in box], "<i4")
        hashes[label] = hashlib.blake2b(shape.tobytes(), digest_size=_DIGEST_BYTES)
    for number in range(view.shape[0]):
        on_plane(number / view.shape[0])
        _add_plane(np.ascontiguousarray(view[number]), number, hashes, turned)
    return {
        label: " ".join([*_position(boxes[label], start, turn, grid), hashes[label].hexdigest()]) for label in boxes
    }


def with_digests(
    found: Sequence[FoundStructure],
    layers: Sequence[np.ndarray],
    grid: Geometry,
    on_plane: Callable[[float], None] = lambda share: None,
) -> list[FoundStructure]:
    """``found`` in ``layers`` (each uint8 (k, j, i) on ``grid``), each with its digest. ``on_plane`` as for
    ``label_digests``, over all layers."""
    digests: dict[tuple[int, int], str] = {}
    for number, labels in enumerate(layers):
        boxes = {structure.label: _box_of(structure) for structure in found if structure.layer == number}
        of_layer = label_digests(
            labels, boxes, grid, on_plane=lambda share, number=number: on_plane((number + share) / len(layers))
        )
        digests |= {(number, label): digest for label, digest in of_layer.items()}
    return [dataclasses.replace(each, digest=digests[each.layer, each.label]) for each in found]


def is_same(one: str, other: str) -> bool:
    """Whether two digests are of the same voxels at the same place; False where one of them is none."""
    first, second = one.split(), other.split()
    if len(first) != 4 or len(second) != 4 or first[3] != second[3]:
        return False
    try:
        apart = [abs(float(a) - float(b)) for a, b in zip(first[:3], second[:3], strict=True)]
    except ValueError:
        return False
    return max(apart) <= SAME_PLACE_MM


def _box_of(structure: FoundStructure) -> Box:
    i_min, i_max, j_min, j_max, k_min, k_max = structure.extent
    return slice(k_min, k_max + 1), slice(j_min, j_max + 1), slice(i_min, i_max + 1)


def _add_plane(plane: np.ndarray, number: int, hashes: Mapping[int, blake2b], boxes: Mapping[int, Box]) -> None:
    """The runs of a plane (A, R) by label: row and column in the label's box, and length."""
    width = plane.shape[1]
    flat = plane.reshape(-1)
    is_start = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=is_start[1:])
    is_start[::width] = True  # a run ends with its row
    starts = np.flatnonzero(is_start)
    values = flat[starts]
    lengths = np.diff(starts, append=flat.size)
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(np.bincount(values, minlength=256))
    rows, columns = np.divmod(starts[order], width)
    lengths = lengths[order].astype("<u2")
    for label in np.flatnonzero(np.diff(ends, prepend=0)):
        box = boxes.get(int(label))
        if box is None:
            continue
        part = slice(ends[label - 1] if label else 0, ends[label])
        places = ((rows[part] - box[1].start) << 16) | (columns[part] - box[2].start)
        digest = hashes[int(label)]
        digest.update(int(number - box[0].start).to_bytes(4, "little"))
        digest.update(places.astype("<u4").tobytes())
        digest.update(lengths[part].tobytes())


def _turned(box: Box, shape: tuple[int, ...], turn: Reorientation) -> Box:
    """A box (k, j, i) of an image of ``shape`` in canonical order."""
    parts = []
    for axis, flip in zip(turn.axes, turn.flips, strict=True):
        first, end = box[axis].start, box[axis].stop
        parts.append(slice(shape[axis] - end, shape[axis] - first) if flip else slice(first, end))
    return tuple(parts)


def _position(box: Box, start: tuple[int, int, int], turn: Reorientation, grid: Geometry) -> list[str]:
    """Of the box's first voxel in canonical order, the last one along an axis of the opposite direction."""
    first = [0, 0, 0]
    for axis, flip in zip(turn.axes, turn.flips, strict=True):
        first[axis] = start[axis] + (box[axis].stop - 1 if flip else box[axis].start)
    position = grid.ijk_to_ras @ [*reversed(first), 1.0]
    return [f"{value + 0.0:.2f}" for value in position[:3]]
