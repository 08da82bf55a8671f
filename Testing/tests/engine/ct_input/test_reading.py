"""Every image file is read onto its own grid, and every bad one is refused with its code and two sentences."""

from __future__ import annotations

import gzip
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pytest
import SimpleITK
from reading_support import RAS_GRID, assert_same_patient, refusal, small_ct
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.imaging.geometry import Geometry


@pytest.fixture
def ct() -> np.ndarray:
    return small_ct()


# -- good input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degrees", [0, 20])
@pytest.mark.parametrize("codes", [*ct_variants.RIGHT_HANDED, *ct_variants.LEFT_HANDED])
@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".mhd", ".nii", ".nii.gz"])
def test_image_files_in_every_voxel_order(
    tmp_path: Path, ct: np.ndarray, suffix: str, codes: str, degrees: int
) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    matrix = ct_variants.turned(matrix, degrees)
    read = read_input(ct_variants.write_image(tmp_path / ("ct" + suffix), array, matrix))
    np.testing.assert_array_equal(read.volume.array, array)
    assert read.volume.array.dtype == np.int16
    assert read.volume.geometry.matches(Geometry(array.shape, matrix))
    assert read.volume.geometry.is_left_handed == (codes in ct_variants.LEFT_HANDED)
    assert_same_patient(read, array, matrix)
    assert read.warnings == [] and read.series_instance_uid is None


def test_a_fourth_axis_of_one_is_no_fourth_axis(tmp_path: Path, ct: np.ndarray) -> None:
    nifti, mha = tmp_path / "ct.nii", tmp_path / "ct.mha"
    nibabel.Nifti1Image(ct.T[..., np.newaxis], RAS_GRID).to_filename(nifti)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(ct[np.newaxis], isVector=False), str(mha))
    assert_same_patient(read_input(nifti), ct, RAS_GRID)
    np.testing.assert_array_equal(read_input(mha).volume.array, ct)


def test_nifti_with_qform_only(tmp_path: Path, ct: np.ndarray) -> None:
    image = nibabel.Nifti1Image(ct.T, None)
    image.set_qform(ct_variants.turned(RAS_GRID, 12), code=1)
    image.set_sform(None, code=0)
    image.to_filename(tmp_path / "ct.nii.gz")
    assert_same_patient(read_input(tmp_path / "ct.nii.gz"), ct, ct_variants.turned(RAS_GRID, 12))


def test_nifti_scaling_and_units(tmp_path: Path, ct: np.ndarray) -> None:
    image = nibabel.Nifti1Image((ct + 1024).astype(np.uint16).T, np.diag([0.001, 0.001, 0.001, 1]) @ RAS_GRID)
    image.header.set_xyzt_units("meter")
    image.header.set_slope_inter(1, -1024)
    image.to_filename(tmp_path / "ct.nii")
    # set_slope_inter is undone by to_filename, so the header's bytes are set by hand
    raw = bytearray((tmp_path / "ct.nii").read_bytes())
    raw[112:120] = np.array([1, -1024], "<f4").tobytes()
    (tmp_path / "ct.nii").write_bytes(raw)
    read = read_input(tmp_path / "ct.nii")
    assert_same_patient(read, ct, RAS_GRID)
    assert read.volume.array.dtype == np.int16


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64, ">i2"])
def test_voxel_types_become_the_smallest_that_holds_them(tmp_path: Path, ct: np.ndarray, dtype: object) -> None:
    array = np.clip(ct, np.iinfo(dtype).min, np.iinfo(dtype).max) if np.dtype(dtype).kind in "iu" else ct
    nibabel.Nifti1Image(array.astype(dtype).T, RAS_GRID).to_filename(tmp_path / "ct.nii")
    read = read_input(tmp_path / "ct.nii").volume.array
    np.testing.assert_array_equal(read, array)
    kept = {"int8": "int8", "uint8": "uint8", "float32": "float32", "float64": "float32"}
    assert read.dtype.name == kept.get(np.dtype(dtype).name, "int16")


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize(("lowest", "highest"), [(0, 255), (-160, 240), (-1024, 60), (-1024, 70000)])
def test_implausible_values_are_a_warning(tmp_path: Path, suffix: str, lowest: int, highest: int) -> None:
    array = np.linspace(lowest, highest, 6 * 7 * 9).astype(np.int32).reshape(6, 7, 9)
    read = read_input(ct_variants.write_image(tmp_path / ("ct" + suffix), array, RAS_GRID))
    assert [warning.code for warning in read.warnings] == ["IMPLAUSIBLE_HU"]
    assert str(highest) in read.warnings[0].what


# -- bad files ---------------------------------------------------------------------------------------------------------


def test_no_such_file(tmp_path: Path) -> None:
    assert refusal(tmp_path / "ct.nii.gz").code == "INPUT_NOT_FOUND"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".dcm"])
@pytest.mark.parametrize("content", [b"", b"not an image" * 50], ids=["empty", "text"])
def test_unreadable_files(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / ("ct" + suffix)
    path.write_bytes(content)
    assert refusal(path).code == "INPUT_UNREADABLE"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_truncated_files(tmp_path: Path, ct: np.ndarray, suffix: str) -> None:
    path = ct_variants.write_image(tmp_path / ("ct" + suffix), ct, RAS_GRID)
    path.write_bytes(path.read_bytes()[:-60])
    error = refusal(path)
    assert error.code == "INPUT_DAMAGED"
    assert path.name in error.problem.what


def test_a_gzip_file_that_holds_no_nifti(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"something else" * 100))
    assert refusal(tmp_path / "ct.nii.gz").code == "INPUT_UNREADABLE"


def test_folders_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").code == "INPUT_NO_IMAGES"


@pytest.mark.parametrize(
    ("name", "shape", "dimensions"),
    [
        ("ct.nrrd", (7, 9), 2),
        ("ct.mha", (7, 9), 2),
        ("ct.nii", (7, 9), 2),
        ("ct.nii.gz", (2, 6, 7, 9), 4),
        ("ct.nrrd", (2, 6, 7, 9), 4),
        ("ct.mha", (2, 6, 7, 9), 4),
    ],
)
def test_two_and_four_dimensions(tmp_path: Path, name: str, shape: tuple[int, ...], dimensions: int) -> None:
    array = np.zeros(shape, np.int16)
    if ".nii" in name:
        nibabel.Nifti1Image(array.T, RAS_GRID).to_filename(tmp_path / name)
    else:
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=False), str(tmp_path / name))
    error = refusal(tmp_path / name)
    assert error.code == "INPUT_NOT_3D"
    assert error.problem.values["dimensions"] == dimensions


def test_a_picture(tmp_path: Path) -> None:
    SimpleITK.WriteImage(
        SimpleITK.GetImageFromArray(np.zeros((7, 9, 3), np.uint8), isVector=True), str(tmp_path / "a.png")
    )
    assert refusal(tmp_path / "a.png").code == "INPUT_NOT_3D"


@pytest.mark.parametrize("kind", ["rgb.nrrd", "rgb.mha", "rgb.nii", "vector.nii", "complex.nii"])
def test_several_values_per_voxel(tmp_path: Path, kind: str) -> None:
    path = tmp_path / kind
    if kind.startswith("rgb") and kind != "rgb.nii":
        array = np.zeros((6, 7, 9, 3), np.uint8)
        SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, isVector=True), str(path))
    else:
        array = {
            "rgb.nii": np.zeros((9, 7, 6), [("R", "u1"), ("G", "u1"), ("B", "u1")]),
            "vector.nii": np.zeros((9, 7, 6, 1, 3), np.float32),
            "complex.nii": np.zeros((9, 7, 6), np.complex64),
        }[kind]
        nibabel.Nifti1Image(array, RAS_GRID).to_filename(path)
    error = refusal(path)
    assert error.code == "INPUT_NOT_SCALAR"
    assert error.problem.values["components"] == (2 if kind == "complex.nii" else 3)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
@pytest.mark.parametrize("shape", [(1, 7, 9), (2, 7, 9), (6, 2, 9), (6, 7, 1)])
def test_too_few_slices(tmp_path: Path, suffix: str, shape: tuple[int, ...]) -> None:
    path = ct_variants.write_image(tmp_path / ("ct" + suffix), np.zeros(shape, np.int16), RAS_GRID)
    assert refusal(path).code == "INPUT_TOO_FEW_SLICES"


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_no_numbers(tmp_path: Path, ct: np.ndarray, suffix: str, bad: float) -> None:
    array = ct.astype(np.float32)
    array[2, 3, 4:6] = bad
    error = refusal(ct_variants.write_image(tmp_path / ("ct" + suffix), array, RAS_GRID))
    assert error.code == "INPUT_NON_FINITE"
    assert error.problem.values["count"] == 2


def write_grid(path: Path, array: np.ndarray, ijk_to_ras: np.ndarray) -> Path:
    """Writes the matrix as it is, which the libraries' writers refuse for bad ones."""
    columns = (ct_variants.LPS_FROM_RAS @ ijk_to_ras)[:3]
    sizes = " ".join(str(size) for size in reversed(array.shape))
    if path.suffix == ".nrrd":
        vectors = " ".join("({},{},{})".format(*columns[:, axis]) for axis in range(3))
        header = (
            f"NRRD0004\ntype: short\ndimension: 3\nspace: left-posterior-superior\nsizes: {sizes}\n"
            f"space directions: {vectors}\nendian: little\nencoding: raw\nspace origin: (1,2,3)\n\n"
        )
    else:
        lengths = np.linalg.norm(columns[:, :3], axis=0)
        directions = columns[:, :3] / np.where(lengths > 0, lengths, 1)
        header = (
            "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
            "TransformMatrix = {}\nOffset = 1 2 3\nElementSpacing = {}\nDimSize = {}\n"
            "ElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        ).format(" ".join(map(str, directions.T.ravel())), " ".join(map(str, lengths)), sizes)
    path.write_bytes(header.encode() + array.astype("<i2").tobytes())
    return path


def write_any_grid(path: Path, array: np.ndarray, ijk_to_ras: np.ndarray) -> Path:
    if path.suffix == ".nii":
        image = nibabel.Nifti1Image(array.T, None)
        image.header["sform_code"] = 1
        for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
            image.header[name] = ijk_to_ras[row]
        nibabel.Nifti1Image(array.T, None, header=image.header).to_filename(path)
        return path
    return write_grid(path, array, ijk_to_ras)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
def test_sheared_grids(tmp_path: Path, ct: np.ndarray, suffix: str) -> None:
    for codes in ("RAS", "LAS"):
        array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
        matrix = matrix.copy()
        matrix[1, 2] = np.tan(np.radians(14)) * matrix[2, 2]
        error = refusal(write_any_grid(tmp_path / ("ct" + suffix), array, matrix))
        assert error.code == "INPUT_SHEARED"
        assert error.problem.values["degrees"] == pytest.approx(14, abs=0.01)
        matrix[1, 2] = np.tan(np.radians(0.05)) * matrix[2, 2]
        read = read_input(write_any_grid(tmp_path / ("ct" + suffix), array, matrix))
        np.testing.assert_allclose(read.volume.geometry.ijk_to_ras[:3, :3], matrix[:3, :3], atol=1e-5)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha"])
@pytest.mark.parametrize("fault", ["zero axis", "two axes alike"])
def test_degenerate_grids(tmp_path: Path, ct: np.ndarray, suffix: str, fault: str) -> None:
    matrix = RAS_GRID.copy()
    matrix[:3, 2] = 0 if fault == "zero axis" else matrix[:3, 0]
    assert refusal(write_any_grid(tmp_path / ("ct" + suffix), ct, matrix)).code == "INPUT_DEGENERATE_DIRECTION"


def test_nifti_matrix_that_is_no_number(tmp_path: Path, ct: np.ndarray) -> None:
    matrix = RAS_GRID.copy()
    matrix[0, 0] = np.nan
    assert refusal(write_any_grid(tmp_path / "ct.nii", ct, matrix)).code == "INPUT_DEGENERATE_DIRECTION"
