"""Linear resampling is SciPy's to the last bit, so that values cut to whole HU are TotalSegmentator's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from TotalSegmentatorEngine.preprocessing.linear_zoom import linear_zoom


def scipys(image: np.ndarray, wanted: tuple[int, int, int]) -> np.ndarray:
    """As TotalSegmentator calls it, whose axes run R, A, S."""
    zoom = [length / size for length, size in zip(wanted, image.shape, strict=True)][::-1]
    return ndimage.zoom(image.transpose(2, 1, 0).astype(np.float64), zoom, order=1, mode="nearest").transpose(2, 1, 0)


def ct_like(shape: tuple[int, int, int]) -> np.ndarray:
    """Half of it one value, as air is, where every rounding error shows in whole numbers."""
    image = np.random.default_rng(1).integers(-1024, 1500, shape).astype(np.int16)
    image[:, : shape[1] // 2] = -1000
    return image


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((60, 90, 70), (31, 40, 52)),
        ((30, 40, 50), (61, 83, 50)),
        ((50, 50, 50), (1, 20, 20)),
        ((7, 8, 9), (14, 5, 27)),
        ((140, 64, 65), (70, 24, 25)),
    ],
)
def test_every_bit_is_scipys(shape, wanted) -> None:
    image = ct_like(shape)
    whole = [slice(0, length) for length in wanted]
    ours = linear_zoom(image, wanted, whole, np.asarray, np.float64)
    assert np.array_equal(ours, scipys(image, wanted))
    truncated = linear_zoom(image, wanted, whole, np.trunc, np.int16)
    assert np.array_equal(truncated, scipys(image, wanted).astype(np.int32))


def test_a_region_is_a_part_of_the_whole_and_turned_images_are_taken() -> None:
    image = ct_like((40, 50, 60))
    turned = image.transpose(1, 2, 0)[:, ::-1]
    region = (slice(3, 30), slice(0, 17), slice(11, 44))
    ours = linear_zoom(turned, (33, 21, 50), region, np.asarray, np.float64)
    assert np.array_equal(ours, scipys(turned, (33, 21, 50))[region])


def test_it_can_be_stopped() -> None:
    def stop(_fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        linear_zoom(ct_like((20, 20, 20)), (10, 10, 10), [slice(0, 10)] * 3, np.asarray, np.float64, stop)
