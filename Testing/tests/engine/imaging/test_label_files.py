"""The voxels of a label file are one ordinary gzip member, which every reader takes."""

from __future__ import annotations

import gzip
import io
import zlib

import nibabel
import numpy as np
import pytest
import SimpleITK
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.imaging.label_files import write_nifti, write_nrrd
from TotalSegmentatorEngine.imaging.label_names import LabelName, names_in_nifti

LARGER_THAN_A_PIECE = (3, 1700, 1001)


def random_labels(shape: tuple[int, int, int], dtype: type) -> tuple[np.ndarray, Geometry]:
    return np.random.default_rng(0).integers(0, 5, shape).astype(dtype), Geometry(shape, np.diag([2.0, 3.0, 4.0, 1.0]))


def the_only_member(data: bytes) -> bytes:
    decompressor = zlib.decompressobj(wbits=31)
    content = decompressor.decompress(data)
    assert decompressor.eof and not decompressor.unused_data
    assert gzip.decompress(data) == content
    return content


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 4, 5), LARGER_THAN_A_PIECE])
def test_nifti_is_one_member(shape: tuple[int, int, int], dtype: type) -> None:
    labels, grid = random_labels(shape, dtype)
    stream = io.BytesIO()
    write_nifti(stream, labels, grid)
    content = the_only_member(stream.getvalue())
    assert content[352:] == labels.tobytes()
    read = nibabel.Nifti1Image.from_bytes(content)
    assert np.array_equal(np.asarray(read.dataobj).T, labels) and np.array_equal(read.affine, grid.ijk_to_ras)


@pytest.mark.parametrize("layers", [1, 2])
def test_nrrd_holds_one_member_after_its_header(layers: int) -> None:
    labels, grid = random_labels(LARGER_THAN_A_PIECE, np.uint8)
    stream = io.BytesIO()
    write_nrrd(stream, [labels, labels + 1][:layers], grid)
    header, _, data = stream.getvalue().partition(b"\n\n")
    assert b"encoding: gzip" in header
    interleaved = np.stack([labels, labels + 1][:layers], axis=-1)
    assert the_only_member(data) == interleaved.tobytes()


def test_the_same_labels_give_the_same_bytes() -> None:
    labels, grid = random_labels((30, 40, 50), np.uint8)
    one, other = io.BytesIO(), io.BytesIO()
    write_nifti(one, labels, grid)
    write_nifti(other, labels, grid)
    assert one.getvalue() == other.getvalue()


def test_writing_can_be_cancelled() -> None:
    labels, grid = random_labels((3, 4, 5), np.uint8)

    def cancel() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_nifti(io.BytesIO(), labels, grid, check_cancelled=cancel)


def test_names_between_header_and_voxels_change_neither(tmp_path) -> None:
    labels, grid = random_labels((30, 40, 50), np.uint16)
    path = tmp_path / "labels.nii.gz"
    with path.open("wb") as stream:
        write_nifti(stream, labels, grid, [LabelName(1, "Leber & Co", (1, 2, 3)), LabelName(2, "b")])
    assert np.array_equal(SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))), labels)
    image = nibabel.load(path)
    assert np.array_equal(np.asarray(image.dataobj).T, labels) and np.array_equal(image.affine, grid.ijk_to_ras)
    assert [(name.value, name.name) for name in names_in_nifti(path)] == [(1, "Leber & Co"), (2, "b")]
