"""Reading on real CTs beside the checkout: good ones, bad ones, and one CT in many orders and formats."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import numpy as np
import pytest
from reading_support import refusal
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.imaging.geometry import canonical_reorientation

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("d2n_failing/gantrytilting/001", "INPUT_GANTRY_TILT"),
        ("d2n_failing/sliceincrement/001", "INPUT_MISSING_SLICES"),
        ("d2n_failing/notavolume/001", "INPUT_DUPLICATE_SLICES"),
        ("pydicom_small/CT_small.dcm", "INPUT_TOO_FEW_SLICES"),
        ("pydicom_small/J2K_pixelrep_mismatch.dcm", "INPUT_GANTRY_TILT"),
        ("pydicom_small", "INPUT_SEVERAL_SERIES"),
        ("pydicom_small/dicomdirtests/77654033/CT2", "INPUT_MISSING_SLICES"),
        ("pydicom_small/dicomdirtests/98892001/CT2N", "INPUT_INCONSISTENT_SLICES"),
        ("rt_utils/one_slice_data", "INPUT_TOO_FEW_SLICES"),
        ("rt_utils/mock_data", "INPUT_TOO_FEW_SLICES"),
        ("sts_001/rtstruct", "INPUT_NOT_CT"),
        ("dcmqi_ct3/liver.dcm", "INPUT_NOT_CT"),
        ("dcmqi_ct3/24x38x3/screenshots/slicer.png", "INPUT_NOT_3D"),
        ("README.md", "INPUT_FORMAT_UNKNOWN"),
        ("LICENSES", "INPUT_NO_IMAGES"),
    ],
)
def test_real_bad_input(shared: Path, path: str, code: str) -> None:
    assert refusal(shared / "data" / path).code == code


@pytest.mark.parametrize(
    ("path", "shape", "spacing"),
    [
        ("example_ct/ct.nii.gz", (112, 101, 122), (3, 3, 3)),
        ("example_ct_dicom", (20, 512, 512), (0.9765625, 0.9765625, 2.0)),
        ("tptbox_vertebra/sub-ct_label-22_ct.nii.gz", (73, 47, 73), (1.5, 1.5, 1.5)),
        ("rt_utils/oriented_data", (3, 50, 100), (2.5, 3.5, 4.5)),
        ("dcmqi_ct3/23x38x3/multiframe", (3, 38, 23), (0.7, 0.7, 2.5)),
    ],
)
def test_real_good_input(shared: Path, path: str, shape: tuple[int, ...], spacing: tuple[float, ...]) -> None:
    read = read_input(shared / "data" / path)
    assert read.volume.geometry.shape == shape
    assert read.volume.geometry.spacing == pytest.approx(spacing, abs=2e-3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("sts_001/dicom", "sts_001/nifti/CT_image.nii.gz"),
        ("cip_ct64/ct-64Dicom", "cip_ct64/ct-64.nrrd"),
        ("dcmqi_ct3/23x38x3/image", "dcmqi_ct3/23x38x3/multiframe"),
    ],
)
def test_the_same_real_ct_in_two_formats(shared: Path, first: str, second: str) -> None:
    one, two = read_input(shared / "data" / first).volume, read_input(shared / "data" / second).volume
    assert one.geometry.matches(two.geometry, tolerance_mm=0.01)
    np.testing.assert_array_equal(one.array, two.array)


def test_real_values_that_are_no_hounsfield_units(shared: Path) -> None:
    read = read_input(shared / "data" / "niivue_pitch" / "CT_pitch.nii.gz")
    assert [warning.code for warning in read.warnings] == ["IMPLAUSIBLE_HU"]


# -- the same segmentation in patient space ----------------------------------------------------------------------------


def variants(folder: Path, array: np.ndarray, matrix: np.ndarray, codes: str) -> list[Path]:
    """The CT rewritten in one voxel order as files of three formats and, where it can be, as a DICOM series."""
    array, matrix = ct_variants.reordered(array, matrix, codes)
    paths = [
        ct_variants.write_image(folder / ("ct" + suffix), array, matrix) for suffix in (".nrrd", ".mha", ".nii.gz")
    ]
    if codes in ct_variants.RIGHT_HANDED:
        paths.append(ct_variants.write_dicom_series(folder / "series", array, matrix))
    return paths


@pytest.mark.parametrize("codes", [*ct_variants.RIGHT_HANDED, *ct_variants.LEFT_HANDED])
def test_the_networks_see_the_same_voxels_in_every_order_and_format(
    tmp_path: Path, example_ct: Path, codes: str
) -> None:
    """The networks get the canonical array and its spacing: equal ones give equal labels, however the CT is stored."""
    source = read_input(example_ct).volume
    expected = canonical_reorientation(source.geometry).apply(source)
    for path in variants(tmp_path, source.array, source.geometry.ijk_to_ras, codes):
        volume = read_input(path).volume
        canonical = canonical_reorientation(volume.geometry).apply(volume)
        np.testing.assert_array_equal(canonical.array, expected.array)
        assert canonical.geometry.matches(expected.geometry)
        assert canonical.geometry.spacing == pytest.approx((3.0, 3.0, 3.0), abs=1e-6)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz", "series"])
def test_the_networks_see_the_same_voxels_when_the_direction_is_turned(
    tmp_path: Path, example_ct: Path, suffix: str
) -> None:
    source = read_input(example_ct).volume
    matrix = ct_variants.turned(source.geometry.ijk_to_ras, 20)
    write = ct_variants.write_dicom_series if suffix == "series" else ct_variants.write_image
    volume = read_input(write(tmp_path / ("ct" + suffix), source.array, matrix)).volume
    canonical = canonical_reorientation(volume.geometry).apply(volume)
    np.testing.assert_array_equal(canonical.array, canonical_reorientation(source.geometry).apply(source).array)
    assert canonical.geometry.spacing == pytest.approx((3.0, 3.0, 3.0), abs=1e-6)
