"""The published post-processing of the tasks: what TotalSegmentator 2.18 does with a network's labels
(``postprocessing.py``, ``nnunet.py``).

Labels are uint8 arrays (z, y, x) and are changed in place. Steps on the network's grid get them in canonical
orientation, so that the first axis grows towards the head; steps on the CT's grid in the CT's own order. Voxels are
connected by faces. ``on_share`` gets the done share 0..1 again and again; it may raise to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
from scipy import ndimage
from TotalSegmentatorWire.tables.published_rules import PublishedStep

from TotalSegmentatorEngine.imaging.connected_pieces import connected_pieces
from TotalSegmentatorEngine.labels.postprocessing import keep_largest_pieces, remove_small_islands

ShareCallback = Callable[[float], None]
Spacing = tuple[float, float, float]
"""mm along z, y, x of the labels."""
FIRST_VERTEBRA, LAST_VERTEBRA = "vertebrae_C1", "vertebrae_L5"
_SLICES_AT_ONCE = 16
_TOUCHING_SHARE, _FOUND_SHARE = 0.1, 0.7
"""Of the time of ``relabel_touching_vertebrae``."""


def _nothing(_share: float) -> None:
    pass


def apply_published_steps(
    labels: np.ndarray,
    steps: Sequence[PublishedStep],
    numbers: Mapping[str, int],
    spacing: Spacing,
    mask_of: Callable[[PublishedStep], np.ndarray] | None = None,
    on_share: ShareCallback = _nothing,
) -> None:
    """Does ``steps``, which are all of one grid, in their order.

    ``numbers``: the labels of all structures of the model, also of those that nobody asked for. ``mask_of`` gives for a
    ``clip_to`` where the other model found the step's structures, true or 1, in the shape of ``labels``. Raises
    ValueError for a step that is not known.
    """
    for place, step in enumerate(steps):

        def share(done: float, place: int = place) -> None:
            on_share((place + done) / len(steps))

        share(0.0)
        chosen = [numbers[name] for name in step.structures if name in numbers]
        match step.step:
            case "largest_blob":
                largest_blob(labels, chosen, share)
            case "remove_small_blobs":
                remove_small_blobs(labels, chosen, step.above_mm3, spacing, share)
            case "drop_labels":
                drop_labels(labels, step.labels, share)
            case "relabel_touching_vertebrae":
                relabel_touching_vertebrae(labels, numbers, step.above_mm3, spacing, share)
            case "dilate_each_label":
                dilate_each_label(labels, step.mm, spacing, share)
            case "clip_to":
                clip_to(labels, mask_of(step), share)
            case _:
                raise ValueError(step.step)
    on_share(1.0)


def largest_blob(labels: np.ndarray, chosen: Sequence[int], on_share: ShareCallback = _nothing) -> None:
    """Keeps of each label in ``chosen`` its largest piece."""
    _clean(labels, chosen, keep_largest_pieces, on_share)


def remove_small_blobs(
    labels: np.ndarray, chosen: Sequence[int], above_mm3: float, spacing: Spacing, on_share: ShareCallback = _nothing
) -> None:
    """Removes of each label in ``chosen`` the pieces of at most ``above_mm3``."""
    voxel_mm3 = float(np.prod(_stored(spacing)))

    def remove(one: np.ndarray, listen: ShareCallback) -> None:
        remove_small_islands(one, above_mm3, voxel_mm3, listen)

    _clean(labels, chosen, remove, on_share)


def drop_labels(labels: np.ndarray, dropped: Sequence[int], on_share: ShareCallback = _nothing) -> None:
    """Turns the labels ``dropped`` into background."""
    table = np.arange(256, dtype=np.uint8)
    table[list(dropped)] = 0
    for slab in _slabs(labels, on_share):
        slab[...] = table[slab]


def relabel_touching_vertebrae(
    labels: np.ndarray,
    numbers: Mapping[str, int],
    above_mm3: float,
    spacing: Spacing,
    on_share: ShareCallback = _nothing,
) -> None:
    """Numbers the vertebrae anew where two labels touch, which the network was trained not to let happen.

    Then each piece of at least ``above_mm3``, of whatever labels, is one vertebra, in the order of their centres along
    the first axis: from the lowest one, which gets the largest label that is there, upwards; in a CT that shows C1 but
    not L5 from the highest one, C1, downwards. Pieces for which no label is left become background.
    """
    if not _touch(labels, lambda share: on_share(_TOUCHING_SHARE * share)):
        return
    pieces, count = connected_pieces(
        (labels > 0).astype(np.uint8),
        lambda share: on_share(_TOUCHING_SHARE + (_FOUND_SHARE - _TOUCHING_SHARE) * share),
    )
    sizes, centres = _sizes_and_centres(pieces, count)
    kept = sizes * float(np.prod(_stored(spacing))) >= above_mm3
    kept[0] = False
    on_share(_FOUND_SHARE)
    present: set[int] = set()
    for plane, numbered in zip(labels, pieces, strict=True):
        present.update(np.unique(plane[kept[numbered]]).tolist())
    new = _labels_in_order(kept, centres, sorted(present.intersection(numbers.values())), numbers)
    for place, plane in enumerate(labels):
        on_share(_FOUND_SHARE + (1.0 - _FOUND_SHARE) * place / len(labels))
        plane[...] = new[pieces[place]]


def _sizes_and_centres(pieces: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Voxels, and mean index along the first axis, of each piece 0..count."""
    sizes, sums = np.zeros(count + 1), np.zeros(count + 1)
    for place, plane in enumerate(pieces):
        here = np.bincount(plane.ravel(), minlength=count + 1)
        sizes += here
        sums += place * here
    return sizes, sums / np.maximum(sizes, 1)


def _labels_in_order(
    kept: np.ndarray, centres: np.ndarray, present: Sequence[int], numbers: Mapping[str, int]
) -> np.ndarray:
    """uint8, the new label of each piece; ``present``: labels of the ``kept`` pieces, in ascending order."""
    new = np.zeros(len(kept), dtype=np.uint8)
    if not present:
        return new
    order = sorted(np.flatnonzero(kept), key=lambda piece: centres[piece])
    first, last = numbers[FIRST_VERTEBRA], numbers[LAST_VERTEBRA]
    counted = range(present[-1], min(numbers.values()) - 1, -1)
    if last not in present and first in present:
        order.reverse()
        counted = range(first, max(numbers.values()) + 1)
    for piece, label in zip(order, counted, strict=False):
        new[piece] = label
    return new


def dilate_each_label(labels: np.ndarray, mm: float, spacing: Spacing, on_share: ShareCallback = _nothing) -> None:
    """Grows each label by an ellipsoid of ``mm`` into what is background; smaller labels come first.

    The ellipsoid is the published one: where ``mm`` is no multiple of a voxel's edge, its voxels begin at ``-mm``
    exactly, so that it lies off centre by part of a voxel; across slices much thicker than ``mm`` nothing grows.
    """
    element = _ellipsoid(mm, spacing)
    margins = [int(np.ceil(mm / length)) for length in _stored(spacing)]
    boxes = ndimage.find_objects(labels)
    before = labels.copy()
    for place, box in enumerate(boxes):
        on_share(place / len(boxes))
        if box is None:
            continue
        near = tuple(
            slice(max(part.start - margin, 0), min(part.stop + margin, size))
            for part, margin, size in zip(box, margins, labels.shape, strict=True)
        )
        grown = ndimage.binary_dilation(before[near] == place + 1, structure=element)
        target = labels[near]
        target[(target == 0) & grown] = place + 1


def clip_to(labels: np.ndarray, mask: np.ndarray, on_share: ShareCallback = _nothing) -> None:
    """Removes all labels where ``mask``, of the same shape, is 0 or false."""
    for slab, inside in zip(_slabs(labels, on_share), _slabs(mask, _nothing), strict=True):
        slab[inside == 0] = 0


def _clean(
    labels: np.ndarray,
    chosen: Sequence[int],
    clean: Callable[[np.ndarray, ShareCallback], None],
    on_share: ShareCallback,
) -> None:
    """``clean`` sees one label of ``labels`` at a time, alone."""
    for place, label in enumerate(chosen):
        one = (labels == label).astype(np.uint8)
        before = one.copy()
        clean(one, lambda share, place=place: on_share((place + share) / len(chosen)))
        labels[before != one] = 0


def _touch(labels: np.ndarray, on_share: ShareCallback) -> bool:
    """Whether voxels of two different labels share a face."""
    planes = enumerate(labels)
    for place, plane in planes:
        on_share(place / len(labels))
        neighbours = [(plane[1:], plane[:-1]), (plane[:, 1:], plane[:, :-1])]
        if place:
            neighbours.append((plane, labels[place - 1]))
        if any(np.any((one != other) & (one > 0) & (other > 0)) for one, other in neighbours):
            return True
    return False


def _ellipsoid(mm: float, spacing: Spacing) -> np.ndarray:
    """bool; the voxels of which the distance from the centre is at most ``mm``."""
    radii = [np.float32(mm) / length for length in _stored(spacing)]
    axes = np.ogrid[tuple(slice(-radius, radius + 1) for radius in radii)]
    return sum((axis * axis) / (radius * radius) for axis, radius in zip(axes, radii, strict=True)) <= 1


def _stored(spacing: Spacing) -> np.ndarray:
    """As the header of a NIfTI file has it, which the published program reads: float32."""
    return np.asarray(spacing, dtype=np.float32)


def _slabs(array: np.ndarray, on_share: ShareCallback):
    """Views of the array, some slices at a time."""
    edges = [*range(0, len(array), _SLICES_AT_ONCE), len(array)]
    for first, last in pairwise(edges):
        on_share(first / len(array))
        yield array[first:last]
