"""Counts, volumes and CT numbers against plain numpy on an oblique grid."""

from __future__ import annotations

import numpy as np
import pytest
from TotalSegmentatorEngine.export.core.voxel_mask import VoxelMask
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.statistics.structure_statistics import (
    hu_statistics,
    structure_statistics,
    with_percentiles,
    with_statistics,
)
from TotalSegmentatorEngine.statistics.voxel_volumes import plane_volumes
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.segment import FoundStructure

SHAPE = (5, 9, 7)
TURNED = np.array([[0.0, 0.8, 0, 3], [0.7, 0, 0, -4], [0, 0, -2.0, 9], [0, 0, 0, 1]])
GRID = Geometry(SHAPE, TURNED)  # 1.12 mm³ a voxel


@pytest.fixture
def labels() -> np.ndarray:
    labels = np.random.default_rng(5).integers(0, 4, SHAPE).astype(np.uint8)
    labels[labels == 3] = 7
    return labels


@pytest.mark.parametrize(
    "values",
    [
        np.array([-1024, 3071, 40, 40, 41, -3], np.int16),
        np.array([12.5, -7.25, 1000.0], np.float32),
        np.array([12.0, -7.0, 1000.0, 12.0], np.float32),
        np.array([3e10, 3e10 + 4096, 3e10], np.float64),
        np.array([-(2**31), 2**31 - 1, 0, 5], np.int32),
        np.array([60], np.uint8),
        np.random.default_rng(2).normal(50, 30, (4, 5, 6)).astype(np.int16),
    ],
    ids=["int16", "float32", "whole float32", "large", "far apart", "one", "in three dimensions"],
)
def test_statistics_are_those_of_numpy(values: np.ndarray):
    found = hu_statistics(values)
    wide = values.astype(np.float64)
    assert (found.mean, found.sd) == pytest.approx((wide.mean(), wide.std()), rel=1e-12)
    assert (found.p5, found.median, found.p95) == pytest.approx(tuple(np.percentile(wide, (5, 50, 95))), rel=1e-12)


def test_a_structure_without_voxels_or_ct_has_no_densities():
    empty, full = VoxelMask.cropped(np.zeros(SHAPE)), VoxelMask.cropped(np.ones(SHAPE))
    ct = np.zeros(SHAPE, np.int16)
    assert structure_statistics(empty, plane_volumes(GRID), ct).hu is None
    counted = structure_statistics(full, plane_volumes(GRID), None)
    assert (counted.voxels, counted.hu) == (315, None)
    assert counted.volume_ml == pytest.approx(315 * 1.12 / 1000)
    with pytest.raises(ValueError, match="differ in shape"):
        structure_statistics(full, plane_volumes(GRID), ct[1:])


def test_the_structures_of_a_result_get_what_numpy_counts(labels: np.ndarray):
    ct = np.random.default_rng(6).integers(-1000, 1500, SHAPE).astype(np.int16)
    found = [FoundStructure(label, f"structure {label}", 0, [0, 6, 0, 8, 0, 4]) for label in (1, 7)]
    for each in with_statistics(found, [labels], Volume(ct, GRID)):
        inside = labels == each.label
        assert each.voxels == inside.sum()
        assert each.volume_ml == pytest.approx(inside.sum() * 1.12 / 1000, abs=5e-4)
        assert each.mean_hu == pytest.approx(ct[inside].mean(), abs=5e-3)


def test_percentiles_of_each_structure_are_those_of_numpy(labels: np.ndarray):
    ct = np.random.default_rng(8).normal(60, 25, SHAPE).astype(np.float32)
    found = [FoundStructure(label, f"structure {label}", 0, [0, 6, 0, 8, 0, 4]) for label in (7, 1, 9)]
    percents = (0, 5, 10, 25, 62.5, 100)
    measured = {each.label: values for each, values in with_percentiles(found, [labels], ct, percents)}
    assert list(measured) == [7, 1, 9]
    for label in (1, 7):
        inside = ct[labels == label].astype(np.float64)
        assert measured[label] == pytest.approx(np.percentile(inside, percents), rel=1e-12)
    assert measured[9] == []


def test_counting_can_be_stopped(labels: np.ndarray):
    def stop() -> None:
        raise SegmentationError("CANCELLED")

    found = [FoundStructure(1, "liver", 0, [0, 6, 0, 8, 0, 4])]
    with pytest.raises(SegmentationError, match="cancelled"):
        with_statistics(found, [labels], Volume(np.zeros(SHAPE, np.int16), GRID), stop)
