"""Our resampling against the libraries that the published pipelines call."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
import pytest
from nnunetv2.preprocessing.resampling.default_resampling import compute_new_shape, resample_data_or_seg_to_shape
from nnunetv2.preprocessing.resampling.resample_torch import resample_torch_fornnunet
from scipy import ndimage
from seeded_models import configuration_settings, plans_of, write_folder
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.preprocessing.parallel_slabs import in_slabs
from TotalSegmentatorEngine.preprocessing.plans_resampling import image_resampling, logits_resampling
from TotalSegmentatorEngine.preprocessing.resampling import (
    apply_matrices,
    is_same_spacing,
    nearest_indices,
    restricted,
    truncated_to_int,
    whole_number_type,
    zoom,
    zoom_matrices,
    zoomed_shape,
)


def random_ct(shape: tuple[int, int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(-1024, 3072, shape).astype(np.int16)


@pytest.mark.parametrize(("order", "tolerance_hu"), [(1, 1e-3), (3, 4e-3)])
@pytest.mark.parametrize(
    ("shape", "spacing", "target"),
    [
        ((31, 40, 37), (3.3, 0.8, 0.8), (1.5, 1.5, 1.5)),
        ((20, 17, 23), (5.0, 0.977, 0.703), (3.0, 3.0, 3.0)),
        ((12, 30, 9), (1.5, 6.0, 0.5), (1.5, 1.5, 6.0)),
        ((1, 5, 2), (9.0, 3.0, 3.0), (3.0, 3.0, 3.0)),
    ],
)
def test_the_ct_is_resampled_like_scipys_zoom(shape, spacing, target, order, tolerance_hu) -> None:
    ct = random_ct(shape)
    factors = [have / want for have, want in zip(spacing, target, strict=True)]
    expected = ndimage.zoom(ct.astype(np.float64), factors, order=order, mode="nearest")
    wanted = zoomed_shape(shape, spacing, target)
    assert wanted == expected.shape
    resampled = zoom(ct, wanted, order)
    assert np.abs(resampled - expected).max() < tolerance_hu


def test_a_thin_axis_keeps_at_least_one_voxel() -> None:
    assert zoomed_shape((2, 30, 30), (0.5, 1.0, 1.0), (6.0, 3.0, 3.0)) == (1, 10, 10)


@pytest.mark.parametrize("wanted", [(41, 63, 80), (10, 11, 12), (20, 42, 27), (39, 41, 53), (1, 1, 1), (20, 21, 27)])
def test_labels_go_back_exactly_like_scipys_zoom(wanted: tuple[int, int, int]) -> None:
    labels = np.random.default_rng(1).integers(0, 105, (20, 21, 27)).astype(np.uint8)
    factors = [out / size for out, size in zip(wanted, labels.shape, strict=True)]
    expected = ndimage.zoom(labels, factors, order=0, mode="nearest")
    indices = (nearest_indices(size, length) for size, length in zip(labels.shape, wanted, strict=True))
    assert np.array_equal(labels[np.ix_(*indices)], expected)


def test_every_pair_of_sizes_rounds_like_scipy() -> None:
    for size in range(1, 40):
        line = np.arange(size, dtype=np.uint8)
        for wanted in range(1, 80):
            expected = ndimage.zoom(line, wanted / size, order=0, mode="nearest")
            assert np.array_equal(line[nearest_indices(size, wanted)], expected), (size, wanted)


def test_whole_numbers_stay_and_fractions_are_cut_towards_zero() -> None:
    values = np.array([1.99, -1.99, 0.2, -0.2, 40.0, -1024.0, 99.9997, -99.9997, 0.0, 70000.5], dtype=np.float32)
    whole = truncated_to_int(values)
    assert whole.tolist() == [1, -1, 0, 0, 40, -1024, 100, -100, 0, 70000]
    assert whole.dtype == np.float32


@pytest.mark.parametrize(
    ("lowest", "highest", "order", "expected"),
    [
        (-1024, 3071, 1, np.int16),
        (-1024, 3071, 3, np.int16),
        (-32000, 32000, 1, np.int16),
        (-32000, 32000, 3, np.int32),
        (0, 32000, 3, np.int32),
        (-40000, 10, 1, np.int32),
        (0, 65535, 1, np.int32),
    ],
)
def test_whole_numbers_take_as_few_bytes_as_the_splines_allow(lowest, highest, order, expected) -> None:
    """Cubic splines swing beyond the values between which they lead, most where these alternate."""
    steps = np.indices((12, 13, 14)).sum(axis=0) // 2 % 2
    image = np.where(steps == 0, lowest, highest).astype(np.int32)
    matrices = zoom_matrices(image.shape, (30, 31, 29), order)
    assert whole_number_type(image, matrices) is expected
    resampled = apply_matrices(image, matrices)
    assert np.abs(resampled).max() <= np.iinfo(expected).max
    if expected is np.int32 and highest == 32000:
        assert np.abs(resampled).max() > np.iinfo(np.int16).max, "the image must be one that int16 cannot hold"


def test_equal_spacing_allows_for_rounding_in_files() -> None:
    assert is_same_spacing((1.5, 1.4999999, 1.5000001), (1.5, 1.5, 1.5))
    assert not is_same_spacing((1.5, 1.499, 1.5), (1.5, 1.5, 1.5))


# -- in slabs, on several threads --------------------------------------------------------------------------------------

TALL = (90, 12, 14)
"""Resampled to more rows than one thread makes at a time."""


@pytest.mark.parametrize("order", [1, 3])
def test_rows_are_finished_and_stored_as_they_are_made(order: int) -> None:
    ct = random_ct(TALL)
    matrices = zoom_matrices(TALL, (201, 9, 23), order)
    expected = apply_matrices(ct, matrices)
    assert expected.dtype == np.float32
    stored = apply_matrices(ct, matrices, finish=truncated_to_int, dtype=np.int16)
    assert stored.dtype == np.int16
    assert np.array_equal(stored, truncated_to_int(expected))
    backwards = apply_matrices(ct[::-1, :, ::-1], matrices)  # a view, as that of a CT in another order
    assert np.abs(backwards - apply_matrices(ct[::-1, :, ::-1].copy(), matrices)).max() == 0


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize(
    "region",
    [
        (slice(0, 201), slice(0, 9), slice(0, 23)),
        (slice(0, 60), slice(0, 4), slice(20, 23)),
        (slice(97, 201), slice(3, 9), slice(7, 8)),
        (slice(100, 101), slice(4, 5), slice(11, 12)),
    ],
    ids=["whole", "at the start", "at the end", "one voxel"],
)
def test_a_region_is_resampled_as_a_part_of_the_whole(region, order: int) -> None:
    ct = random_ct(TALL)
    matrices = zoom_matrices(TALL, (201, 9, 23), order)
    parts, box = restricted(matrices, region)
    resampled = apply_matrices(ct[box], parts)
    expected = apply_matrices(ct, matrices)[region]
    assert resampled.shape == expected.shape
    assert np.abs(resampled - expected).max() < 2e-3, "no more than float32 rounds"
    assert (truncated_to_int(resampled) != truncated_to_int(expected)).mean() < 1e-3


def test_a_region_needs_few_voxels_of_the_image() -> None:
    region = (slice(100, 110), slice(4, 6), slice(0, 23))
    for order, beyond in ((1, 2), (3, 30)):
        _parts, box = restricted(zoom_matrices(TALL, (201, 9, 23), order), region)
        assert box[0].start <= 100 * 89 / 200 and box[0].stop - 1 >= 109 * 89 / 200
        assert box[0].stop - box[0].start <= 5 + 2 * beyond
        assert box[2] == slice(0, 14)


def test_resampling_reports_the_done_fraction() -> None:
    fractions: list[float] = []
    zoom(random_ct(TALL), (300, 9, 9), 1, fractions.append)
    assert fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] < 1 and len(fractions) > 3


def test_resampling_can_be_stopped() -> None:
    class StopError(Exception):
        pass

    fractions: list[float] = []
    made: list[int] = []
    never = threading.Event()

    def stop_at_second(fraction: float) -> None:
        fractions.append(fraction)
        if len(fractions) == 2:
            raise StopError

    def slowly(rows: np.ndarray) -> np.ndarray:
        if made:
            never.wait(0.02)
        made.append(len(rows))
        return rows

    matrices = zoom_matrices((50, 2, 2), (5000, 2, 2), 1)
    with pytest.raises(StopError):
        apply_matrices(random_ct((50, 2, 2)), matrices, stop_at_second, finish=slowly)
    assert len(fractions) == 2
    assert sum(made) < 5000, "rows that nobody waits for any more are not made"
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("resampling")]


def test_a_long_slab_is_listened_to_and_stopped_in_its_midst() -> None:
    """A slab of a large CT may take seconds, and Cancel must not wait for its end."""

    class StopError(Exception):
        pass

    calls: list[float] = []
    made: list[int] = []
    waiting = threading.Event()

    def make(rows: slice) -> Iterator[None]:
        for row in range(rows.start, rows.stop):
            waiting.wait(0.02)
            made.append(row)
            yield

    def stop_at_third(fraction: float) -> None:
        calls.append(fraction)
        if len(calls) == 3:
            raise StopError

    with pytest.raises(StopError):
        in_slabs(make, 1000, 1000, stop_at_third)
    assert len(made) < 500, "a slab of 20 s"


# -- the plans' own functions ------------------------------------------------------------------------------------------

GRIDS = [
    ((20, 24, 28), (3.0, 1.0, 1.2), (2.0, 1.5, 1.5)),
    ((9, 40, 36), (6.0, 0.8, 0.8), (3.0, 1.5, 1.5)),  # anisotropic now
    ((30, 20, 22), (1.0, 1.0, 1.0), (5.0, 1.0, 1.2)),  # anisotropic then
    ((18, 18, 7), (1.0, 1.0, 7.0), (1.5, 1.5, 3.0)),  # the last axis is the coarse one
    ((16, 16, 16), (2.0, 2.0, 2.0), (2.0, 2.0, 2.0)),
]


@pytest.mark.parametrize(("shape", "spacing", "target"), GRIDS)
@pytest.mark.parametrize("function", ["resample_data_or_seg_to_shape", "resample_torch_fornnunet"])
def test_the_plans_functions_are_followed(tmp_path, shape, spacing, target, function) -> None:
    settings = configuration_settings(spacing=target, resampling=function)
    folder = read_model_folder(write_folder(tmp_path / "D", plans_of(settings)))
    reference = {
        "resample_data_or_seg_to_shape": resample_data_or_seg_to_shape,
        "resample_torch_fornnunet": resample_torch_fornnunet,
    }[function]
    image = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    wanted = compute_new_shape(shape, spacing, target)
    expected = reference(image[None], wanted, spacing, target, **settings["resampling_fn_data_kwargs"])[0]
    forward = image_resampling(folder, shape, spacing)
    assert forward.wanted == tuple(wanted)
    resampled = forward.apply(image)
    assert np.abs(resampled - expected).max() < 2e-5
    expected = reference(resampled[None], shape, target, spacing, **settings["resampling_fn_probabilities_kwargs"])[0]
    restored = logits_resampling(folder, resampled.shape, shape, spacing).apply(resampled)
    assert np.abs(restored - expected).max() < 2e-5


def test_no_resampling_means_none(tmp_path) -> None:
    settings = configuration_settings(resampling="no_resampling_hack")
    for purpose in ("data", "seg", "probabilities"):
        settings[f"resampling_fn_{purpose}_kwargs"] = {}
    folder = read_model_folder(write_folder(tmp_path / "D", plans_of(settings)))
    image = np.zeros((8, 8, 8), dtype=np.float32)
    assert image_resampling(folder, image.shape, (1.0, 1.0, 1.0)).apply(image) is image
