"""Label maps of several models in few layers: nothing is lost where structures overlap."""

from __future__ import annotations

import numpy as np
import pytest
from TotalSegmentatorEngine.labels.layers import LARGEST_LABEL, Layers, Place
from TotalSegmentatorWire.errors.problem import SegmentationError

SHAPE = (20, 18, 22)


def random_map(random: np.random.Generator, structures: int) -> np.ndarray:
    """Boxes anywhere, of numbers anywhere in uint8; of one map later ones cover earlier ones."""
    labels = np.zeros(SHAPE, dtype=np.uint8)
    for label in random.choice(np.arange(1, 256), structures, replace=False):
        corner = [int(random.integers(0, size - 2)) for size in SHAPE]
        labels[tuple(slice(start, start + int(random.integers(1, 8))) for start in corner)] = label
    return labels


def present_in(labels: np.ndarray) -> set[int]:
    return set(map(int, np.unique(labels))) - {0}


@pytest.mark.parametrize("seed", range(6))
def test_each_structure_keeps_exactly_its_voxels(seed: int) -> None:
    random = np.random.default_rng(seed)
    maps = [random_map(random, 12) for _number in range(5)]
    layers = Layers(SHAPE)
    masks: dict[Place, np.ndarray] = {}
    for labels in maps:
        before = [layer.copy() for layer in layers.arrays]
        places = layers.add(labels.copy(), present_in(labels))
        assert places.keys() == present_in(labels)
        for label, place in places.items():
            assert place not in masks
            masks[place] = labels == label
            for earlier in before[: place.layer]:
                assert earlier[masks[place]].any(), "it would have fitted into an earlier layer"
    assert len(layers.arrays) > 1
    for place, mask in masks.items():
        assert np.array_equal(layers.arrays[place.layer] == place.label, mask)
    assert sum(np.count_nonzero(layer) for layer in layers.arrays) == sum(np.count_nonzero(each) for each in maps)


def test_maps_that_do_not_overlap_share_a_layer_and_keep_their_numbers_where_nobody_has_them() -> None:
    first, second = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint8)
    first[:5], first[5:8] = 1, 2
    second[10:12], second[12:14] = 2, 7
    layers = Layers(SHAPE)
    assert layers.add(first, {1, 2}) == {1: Place(0, 1), 2: Place(0, 2)}
    assert layers.add(second, {2, 7}) == {7: Place(0, 7), 2: Place(0, 3)}
    assert len(layers.arrays) == 1


def test_a_map_of_a_box_lies_where_the_box_does() -> None:
    box = (slice(3, 7), slice(0, 18), slice(10, 12))
    layers = Layers(SHAPE)
    places = layers.add(np.full((4, 18, 2), 9, np.uint8), {9}, box)
    expected = np.zeros(SHAPE, np.uint8)
    expected[box] = 9
    assert places == {9: Place(0, 9)} and np.array_equal(layers.arrays[0], expected)


def test_a_layer_takes_as_many_structures_as_there_are_labels() -> None:
    planes = np.arange(1, 256, dtype=np.uint8).reshape(255, 1, 1)
    shape = (510, 1, 1)
    layers = Layers(shape)
    lower, upper = slice(0, 255), slice(255, 510)
    layers.add(planes[:200], set(range(1, 201)), (slice(0, 200), slice(0, 1), slice(0, 1)))
    places = layers.add(planes, present_in(planes), (upper, slice(0, 1), slice(0, 1)))
    layer_of = [places[label].layer for label in range(1, 256)]
    assert layer_of.count(0) == LARGEST_LABEL - 200 and layer_of.count(1) == 200
    restored = sum(layer[upper].astype(int) for layer in layers.arrays)
    assert np.count_nonzero(restored) == 255 and np.count_nonzero(layers.arrays[0][lower]) == 200


def test_cancelling_stops_it() -> None:
    def cancelled() -> None:
        raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError, match="was cancelled"):
        Layers(SHAPE, cancelled).add(np.ones(SHAPE, np.uint8), {1})
