"""What the tests of reading share: a small CT, the refusal of a path, the comparison of two CTs in patient space."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_input
from TotalSegmentatorWire.errors.problem import SegmentationError

RAS_GRID = np.array([[0.9, 0, 0, -20.0], [0, 1.1, 0, 35.5], [0, 0, 2.5, 710.25], [0, 0, 0, 1.0]])


def small_ct() -> np.ndarray:
    """A chest in miniature: air to bone, no two slices, rows or columns alike; (k, j, i) int16."""
    noise = np.random.default_rng(7).integers(-40, 40, (6, 7, 9))
    return (np.linspace(-1000, 900, 6 * 7 * 9).reshape(6, 7, 9) + noise).astype(np.int16)


def refusal(path: Path) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        read_input(path)
    what, todo = caught.value.problem.what, caught.value.problem.todo
    assert what.endswith(".") and todo.endswith(".") and "{" not in what + todo
    assert not any(str(path.parent) in str(value) for value in caught.value.problem.values.values())
    return caught.value


def assert_same_patient(read: ReadInput, array: np.ndarray, ijk_to_ras: np.ndarray, tolerance_mm: float = 1e-3) -> None:
    """The input holds the same values at the same RAS positions, whatever the voxel order."""
    expected, matrix = ct_variants.reordered(array, ijk_to_ras, "RAS")
    found, found_matrix = ct_variants.reordered(read.volume.array, read.volume.geometry.ijk_to_ras, "RAS")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found_matrix, matrix, atol=tolerance_mm)


def moved(offsets: dict[int, tuple[float, float, float]] | None = None, shift=None):
    """An edit that moves slices in LPS mm: some by number, or all by a function of their number."""

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        offset = shift(number) if shift else (offsets or {}).get(number, (0, 0, 0))
        position = [float(value) + change for value, change in zip(dataset.ImagePositionPatient, offset, strict=True)]
        dataset.ImagePositionPatient = [round(value, 6) for value in position]

    return edit


def changed(number: int, **attributes):
    """An edit that sets attributes (None: removes them) of one slice, or of all with -1."""

    def edit(dataset: pydicom.Dataset, current: int) -> None:
        if number in (current, -1):
            for name, value in attributes.items():
                if value is None:
                    delattr(dataset, name)
                else:
                    setattr(dataset, name, value)

    return edit
