"""A damaged size in a header leaves voxels of the file unread and shuffles the rest."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pytest
import SimpleITK
from reading_support import RAS_GRID, assert_same_patient, refusal, small_ct
from TotalSegmentatorEngine.ct_input.reading import read_input

FIRST_SIZE = 42
"""Where a NIfTI-1 header has the number of voxels along i, 16 bits; j and k follow."""


@pytest.fixture
def ct() -> np.ndarray:
    return small_ct()


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_nifti_file_with_one_voxel_more_along_an_axis_than_stated_is_refused(
    tmp_path: Path, ct: np.ndarray, pack: Callable, axis: int
) -> None:
    data = bytearray(ct_variants.write_image(tmp_path / "ct.nii", ct + 1, RAS_GRID).read_bytes())
    size = struct.unpack_from("<h", data, FIRST_SIZE + 2 * axis)[0]
    struct.pack_into("<h", data, FIRST_SIZE + 2 * axis, size - 1)
    (tmp_path / "ct.nii.gz").write_bytes(pack(data))
    problem = refusal(tmp_path / "ct.nii.gz")
    assert problem.code == "INPUT_DAMAGED"
    assert "ct.nii.gz" in problem.problem.what and "more voxels" in problem.problem.what


@pytest.mark.parametrize(("suffix", "key"), [(".nrrd", b"sizes: "), (".mha", b"DimSize = ")])
@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_text_header_that_states_too_few_slices_is_refused(
    tmp_path: Path, ct: np.ndarray, suffix: str, key: bytes, is_compressed: bool
) -> None:
    path = tmp_path / ("ct" + suffix)
    image = SimpleITK.GetImageFromArray(ct + 1)
    SimpleITK.WriteImage(image, str(path), useCompression=is_compressed)
    sizes = [str(size).encode() for size in image.GetSize()]
    before, after = key + b" ".join(sizes), key + b" ".join([*sizes[:2], str(image.GetSize()[2] - 1).encode()])
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after, 1))
    assert refusal(path).code == "INPUT_DAMAGED"


def test_layers_of_background_behind_the_labels_are_no_filling(tmp_path: Path, ct: np.ndarray) -> None:
    labels = np.zeros(ct.shape, np.uint8)
    labels[0, 0, 0] = 1
    path = ct_variants.write_image(tmp_path / "labels.nrrd", labels, RAS_GRID)
    sizes = b" ".join(str(size).encode() for size in reversed(ct.shape))
    shorter = b" ".join(str(size).encode() for size in (ct.shape[2] - 1, ct.shape[1], ct.shape[0]))
    path.write_bytes(path.read_bytes().replace(b"sizes: " + sizes, b"sizes: " + shorter, 1))
    assert refusal(path).code == "INPUT_DAMAGED"


@pytest.mark.parametrize("behind", [bytes(1 << 16 | 1), b"some bytes", b"\n"])
def test_filling_and_a_few_bytes_behind_the_voxels_are_no_damage(tmp_path: Path, ct: np.ndarray, behind: bytes) -> None:
    for suffix in (".nii", ".nrrd", ".mha"):
        path = ct_variants.write_image(tmp_path / ("ct" + suffix), *ct_variants.reordered(ct, RAS_GRID, "LPS"))
        path.write_bytes(path.read_bytes() + behind)
        assert_same_patient(read_input(path), ct, RAS_GRID)
    nifti = tmp_path / "packed.nii.gz"
    nifti.write_bytes(gzip.compress((tmp_path / "ct.nii").read_bytes()))
    assert_same_patient(read_input(nifti), ct, RAS_GRID)
    assert nibabel.load(nifti).shape[::-1] == read_input(nifti).volume.geometry.shape


def test_a_header_of_its_own_may_mean_a_part_of_a_file(tmp_path: Path, ct: np.ndarray) -> None:
    path = ct_variants.write_image(tmp_path / "ct.mhd", *ct_variants.reordered(ct, RAS_GRID, "LPS"))
    voxels = tmp_path / "ct.raw"
    voxels.write_bytes(voxels.read_bytes() * 2)
    assert_same_patient(read_input(path), ct, RAS_GRID)
