"""Values that are no Hounsfield units lead to a warning; no real CT does, whole or cropped."""

from __future__ import annotations

import numpy as np
import pytest
from phantom import make_phantom
from places import REPOSITORY
from TotalSegmentatorEngine.ct_input.hu_scale import hu_scale_warnings
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.imaging.validation import check_volume

DATA = REPOSITORY.parent / "shared" / "data"
REAL_CTS = (
    "example_ct/ct.nii.gz",
    "example_ct_dicom",
    "sts_001/nifti/CT_image.nii.gz",
    "sts_001/dicom",
    "tptbox_vertebra/sub-ct_label-22_ct.nii.gz",
    "cip_ct64/ct-64.nrrd",
    "dcmqi_ct3/ct-3slice",
)
SCALES = {
    "intercept twice": lambda hu: hu - 1024,
    "slope and intercept twice": lambda hu: 2 * hu,
    "slope twice": lambda hu: 2 * hu + 1024,
    "inverted": lambda hu: -hu,
    "no intercept": lambda hu: hu + 1024,
    "no intercept, padded": lambda hu: np.where(hu <= -1000, -2000, hu + 1024),
    "windowed to 0..255": lambda hu: np.clip((hu + 160) / 400 * 255, 0, 255),
}


def warned(array: np.ndarray) -> bool:
    array = np.rint(array).astype(np.int16)
    return bool(check_volume(Volume(array, Geometry(array.shape, np.eye(4)))) or hu_scale_warnings(array))


@pytest.fixture(scope="module", params=REAL_CTS)
def real_ct(request: pytest.FixtureRequest) -> np.ndarray:
    path = DATA / request.param
    if not path.exists():
        pytest.skip("needs the shared test data")
    return read_input(path).volume.array.astype(np.float32)


def test_a_real_ct_has_no_warning_and_neither_have_boxes_of_it(real_ct: np.ndarray) -> None:
    assert not hu_scale_warnings(real_ct)
    random = np.random.default_rng(1)
    sizes = np.array(real_ct.shape)
    for _ in range(150):
        size = np.minimum(np.maximum(3, (sizes * random.uniform(0.08, 1, 3)).astype(int)), sizes)
        start = [random.integers(0, whole - part + 1) for whole, part in zip(sizes, size, strict=True)]
        box = real_ct[tuple(slice(first, first + part) for first, part in zip(start, size, strict=True))]
        if np.mean(box > -400) > 0.01:  # else it is all air, which is warned of
            assert not hu_scale_warnings(box), (start, size.tolist())


@pytest.mark.parametrize("scale", SCALES)
def test_other_scales_of_a_real_ct_are_warned_of(real_ct: np.ndarray, scale: str) -> None:
    if np.mean(real_ct < -850) < 0.01 and scale in ("inverted", "slope and intercept twice"):
        pytest.skip("without air around it, this box of a CT does not show it")
    assert warned(SCALES[scale](real_ct))


@pytest.fixture(scope="module")
def phantom_ct() -> np.ndarray:
    return make_phantom().ct.astype(np.float32)


def test_the_phantom_has_no_warning(phantom_ct: np.ndarray) -> None:
    assert not warned(phantom_ct)


@pytest.mark.parametrize("scale", SCALES)
def test_other_scales_of_the_phantom_are_warned_of(phantom_ct: np.ndarray, scale: str) -> None:
    assert warned(SCALES[scale](phantom_ct))


def with_noise(hu: np.ndarray) -> np.ndarray:
    return hu + np.random.default_rng(2).normal(0, 12, hu.shape)


def block(background: float, inside: float) -> np.ndarray:
    array = np.full((20, 40, 40), background)
    array[2:18, 5:35, 5:35] = inside
    return with_noise(array)


@pytest.mark.parametrize(
    "array",
    [block(-1000, 125), block(-1000, -1000), block(-1000, 320), block(0, 500), block(-500, 25)],
    ids=["a phantom of PMMA", "air alone", "a phantom of aluminium", "MR", "half the slope"],
)
def test_what_is_no_patient_is_warned_of(array: np.ndarray) -> None:
    assert warned(array)


def test_ends_of_the_16_bit_range_are_no_proof_of_a_ct() -> None:
    mr = np.abs(with_noise(np.full((20, 40, 40), 60.0)))
    mr[0, 0, :2] = (-32768, 32767)
    assert warned(mr)
    everything = np.random.default_rng(6).integers(-32768, 32768, (20, 40, 40))
    assert warned(everything)


def test_a_few_marks_in_a_ct_do_no_harm(phantom_ct: np.ndarray) -> None:
    marked = phantom_ct.copy()
    marked[0, 0, :5] = -32768
    marked[1, 1, :5] = 32767
    assert not warned(marked)


def test_a_fixed_value_outside_the_scanned_circle_does_no_harm(phantom_ct: np.ndarray) -> None:
    padded = phantom_ct.copy()
    padded[:, :8] = padded[:, :, :8] = -3024
    assert not warned(padded)


@pytest.mark.parametrize("noise_hu", [40, 90, 150, 300])
def test_noise_of_thin_slices_and_sharp_kernels_has_no_warning(real_ct: np.ndarray, noise_hu: float) -> None:
    noisy = real_ct + np.random.default_rng(3).normal(0, noise_hu, real_ct.shape)
    assert not hu_scale_warnings(noisy)
    assert hu_scale_warnings(noisy - 1024)
