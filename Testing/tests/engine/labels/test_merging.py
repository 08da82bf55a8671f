"""Parts joined by name, and what a result says about itself."""

from __future__ import annotations

import numpy as np
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only, merge_part
from TotalSegmentatorWire.tables.structures import structure_table


def test_later_parts_overwrite_earlier_ones_and_background_never_does() -> None:
    merged = np.zeros((40, 2, 3), dtype=np.uint8)
    first, second = merged.copy(), merged.copy()
    first[:30], second[20:35] = 1, 2
    second[25] = 0
    merge_part(merged, first, {1: 50, 2: 51})
    merge_part(merged, second, {1: 60, 2: 61})
    expected = np.zeros_like(merged)
    expected[:30] = 50
    expected[20:35] = 61
    expected[25] = 50
    assert np.array_equal(merged, expected)


def test_labels_that_nobody_maps_are_background() -> None:
    merged = np.zeros((2, 2, 2), dtype=np.uint8)
    merge_part(merged, np.full((2, 2, 2), 9, dtype=np.uint8), {1: 5})
    assert not merged.any()


def test_keeping_only_some_labels() -> None:
    labels = np.arange(256, dtype=np.uint8).reshape(16, 4, 4)
    keep_only(labels, [0, 7, 255])
    assert sorted(np.unique(labels)) == [0, 7, 255]


def test_counts_and_extents() -> None:
    structures = structure_table("structures_104")
    labels = np.zeros((50, 6, 7), dtype=np.uint8)
    labels[10:40, 2, 3:6] = 5
    labels[49, 5, 6] = 104
    liver, bladder = found_structures(labels, structures)
    assert (liver.name, liver.voxels, liver.extent) == ("liver", 90, [3, 5, 2, 2, 10, 39])
    assert (bladder.label, bladder.voxels, bladder.extent) == (104, 1, [6, 6, 5, 5, 49, 49])
    assert found_structures(np.zeros((2, 2, 2), dtype=np.uint8), structures) == []
