"""Normalisation as nnU-Net's own preprocessing does it, whatever the plans name."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from engine_support import blobs_volume
from nnunetv2.preprocessing.cropping.cropping import create_nonzero_mask
from nnunetv2.preprocessing.normalization import default_normalization_schemes as schemes
from TotalSegmentatorEngine.preprocessing.normalisation import nonzero_box, normalise
from TotalSegmentatorWire.errors.problem import SegmentationError

INTENSITIES = {"percentile_00_5": -900.0, "percentile_99_5": 800.0, "mean": 12.0, "std": 300.0}
NAMES = ["CTNormalization", "ZScoreNormalization", "RescaleTo01Normalization", "NoNormalization"]


def folder(scheme: str, use_mask: bool) -> SimpleNamespace:
    return SimpleNamespace(
        settings={"normalization_schemes": [scheme], "use_mask_for_norm": [use_mask]},
        plans={"foreground_intensity_properties_per_channel": {"0": INTENSITIES}},
    )


def image(shape: tuple[int, int, int] = (70, 40, 30)) -> np.ndarray:
    """With zeros around it, holes, and a bay of zeros that opens to the border through many slabs."""
    array = blobs_volume(shape, (1.0, 1.0, 1.0)).array.copy()
    array[array == 0] = 1
    array[:3] = array[:, :4] = array[:, :, -2:] = 0
    array[10:50, 15:25, 10:20] = 0  # a hole
    array[5:60, 30, 5] = array[59, 30:, 5] = 0  # a bay
    return array


@pytest.mark.parametrize("use_mask", [False, True])
@pytest.mark.parametrize("scheme", NAMES)
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1)])
def test_numbers_are_those_of_nnunet(scheme: str, use_mask: bool, axes: tuple[int, int, int]) -> None:
    array = image().transpose(axes)
    mask = np.where(create_nonzero_mask(array[None]), 0, -1)
    theirs = getattr(schemes, scheme)(use_mask_for_norm=use_mask, intensityproperties=INTENSITIES)
    expected = theirs.run(array.astype(np.float32), mask if use_mask else None)
    made = normalise(array, folder(scheme, use_mask))
    assert made.dtype == np.float32 and made.flags.c_contiguous
    np.testing.assert_allclose(made, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2, 0)])
def test_box_is_that_of_what_is_not_zero(axes: tuple[int, int, int]) -> None:
    array = image().transpose(axes)
    where = np.argwhere(array)
    expected = tuple(slice(low, high + 1) for low, high in zip(where.min(0), where.max(0), strict=True))
    assert nonzero_box(array) == expected
    assert nonzero_box(np.zeros((3, 4, 5))) == (slice(0, 3), slice(0, 4), slice(0, 5))


@pytest.mark.parametrize(("scheme", "use_mask"), [("CTNormalization", False), ("ZScoreNormalization", True)])
def test_normalisation_ends_where_it_is_stopped(scheme: str, use_mask: bool) -> None:
    heard: list[int] = []

    def listen() -> None:
        heard.append(1)
        if len(heard) == 3:
            raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError):
        normalise(image(), folder(scheme, use_mask), listen)
    assert len(heard) == 3


def test_a_library_at_work_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """nnU-Net's own scheme gets the whole image at once: the job ends while it is at work."""
    from threading import Event

    may_end, begun = Event(), Event()

    def run(_self: object, array: np.ndarray, _seg: object = None) -> np.ndarray:
        begun.set()
        assert may_end.wait(60)
        return array

    def listen() -> None:
        if begun.is_set():
            raise SegmentationError("CANCELLED")

    monkeypatch.setattr(schemes.ZScoreNormalization, "run", run)
    try:
        with pytest.raises(SegmentationError):
            normalise(image(), folder("ZScoreNormalization", False), listen)
        assert not may_end.is_set()
    finally:
        may_end.set()
