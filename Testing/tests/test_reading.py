"""Every kind of input is read onto its own grid, and every bad one is refused with its code and two sentences."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.uid import generate_uid
from TotalSegmentatorEngine.geometry import Geometry
from TotalSegmentatorEngine.reading import ReadInput, read_input, read_transferred
from TotalSegmentatorWire import job_folder
from TotalSegmentatorWire.errors import SegmentationError
from TotalSegmentatorWire.messages import CtHeader

RAS_GRID = np.array([[0.9, 0, 0, -20.0], [0, 1.1, 0, 35.5], [0, 0, 2.5, 710.25], [0, 0, 0, 1.0]])


@pytest.fixture
def ct() -> np.ndarray:
    """A chest in miniature: air to bone, no two slices, rows or columns alike; (k, j, i) int16."""
    noise = np.random.default_rng(7).integers(-40, 40, (6, 7, 9))
    return (np.linspace(-1000, 900, 6 * 7 * 9).reshape(6, 7, 9) + noise).astype(np.int16)


def refusal(path: Path) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        read_input(path)
    what, todo = caught.value.problem.what, caught.value.problem.todo
    assert what.endswith(".") and todo.endswith(".") and "{" not in what + todo
    assert not any(path.name in value for value in caught.value.problem.values.values() if isinstance(value, str))
    return caught.value


def assert_same_patient(read: ReadInput, array: np.ndarray, ijk_to_ras: np.ndarray, tolerance_mm: float = 1e-3) -> None:
    """The input holds the same values at the same RAS positions, whatever the voxel order."""
    expected, matrix = ct_variants.reordered(array, ijk_to_ras, "RAS")
    found, found_matrix = ct_variants.reordered(read.volume.array, read.volume.geometry.ijk_to_ras, "RAS")
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(found_matrix, matrix, atol=tolerance_mm)


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


@pytest.mark.parametrize("degrees", [0, 20])
@pytest.mark.parametrize("codes", ct_variants.RIGHT_HANDED)
def test_dicom_series_in_every_voxel_order(tmp_path: Path, ct: np.ndarray, codes: str, degrees: int) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    matrix = ct_variants.turned(matrix, degrees)
    folder = ct_variants.write_dicom_series(tmp_path / "series", array, matrix, intercept=-1024)
    read = read_input(folder)
    assert_same_patient(read, array, matrix)
    assert read.volume.array.dtype == np.int16
    one_file = sorted(folder.iterdir())[2]
    assert read.series_instance_uid == str(pydicom.dcmread(one_file).SeriesInstanceUID)


def test_a_file_stands_for_its_series(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "both", ct, RAS_GRID)
    for path in ct_variants.write_dicom_series(tmp_path / "other", ct // 2, RAS_GRID).iterdir():
        shutil.copy(path, folder / ("other-" + path.name))
    assert refusal(folder).code == "INPUT_SEVERAL_SERIES"
    assert_same_patient(read_input(folder / "slice-0003.dcm"), ct, RAS_GRID)
    assert_same_patient(read_input(folder / "other-slice-0003.dcm"), ct // 2, RAS_GRID)


def test_other_files_copies_and_subfolders_do_not_disturb_a_series(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "disc" / "0001" / "series", ct, RAS_GRID)
    shutil.copy(folder / "slice-0002.dcm", folder / "slice-0002 copy.dcm")
    (folder / "readme.txt").write_text("not a DICOM file, although it is longer than a preamble" * 5)
    (folder / "empty.dcm").write_bytes(b"")

    def as_structure_set(dataset: pydicom.Dataset, number: int) -> None:
        dataset.Modality = "RTSTRUCT"
        del dataset.Rows, dataset.Columns, dataset.PixelData

    for path in ct_variants.write_dicom_series(tmp_path / "rt", ct[:1], RAS_GRID, as_structure_set).iterdir():
        shutil.copy(path, folder / "rt.dcm")
    assert_same_patient(read_input(folder), ct, RAS_GRID)
    assert_same_patient(read_input(tmp_path / "disc"), ct, RAS_GRID)


def test_fractions_of_a_later_slice_survive(tmp_path: Path, ct: np.ndarray) -> None:
    def own_slope(dataset: pydicom.Dataset, number: int) -> None:
        dataset.RescaleSlope = "1" if number == 0 else "0.5"

    read = read_input(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, own_slope))
    expected = np.concatenate([ct[:1], ct[1:] * 0.5])
    assert_same_patient(read, expected, RAS_GRID)


@pytest.mark.parametrize("codes", ct_variants.RIGHT_HANDED)
def test_enhanced_multi_frame_with_shuffled_frames(tmp_path: Path, ct: np.ndarray, codes: str) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    order = list(np.random.default_rng(3).permutation(len(array)))
    path = ct_variants.write_enhanced_dicom(tmp_path / "enhanced" / "ct.dcm", array, matrix, order, intercept=-1024)
    assert_same_patient(read_input(path), array, matrix)
    assert_same_patient(read_input(path.parent), array, matrix)


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


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha", ".dcm", ".xyz"])
@pytest.mark.parametrize("content", [b"", b"not an image" * 50], ids=["empty", "text"])
def test_unreadable_files(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / ("ct" + suffix)
    path.write_bytes(content)
    assert refusal(path).code == "INPUT_UNREADABLE"


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".nrrd", ".mha"])
def test_truncated_files(tmp_path: Path, ct: np.ndarray, suffix: str) -> None:
    path = ct_variants.write_image(tmp_path / ("ct" + suffix), ct, RAS_GRID)
    path.write_bytes(path.read_bytes()[:-60])
    assert refusal(path).code == "INPUT_UNREADABLE"


def test_a_gzip_file_that_holds_no_nifti(tmp_path: Path) -> None:
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(b"something else" * 100))
    assert refusal(tmp_path / "ct.nii.gz").code == "INPUT_UNREADABLE"


def test_folders_without_dicom(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refusal(tmp_path / "empty").code == "INPUT_UNREADABLE"


def test_truncated_pixels_of_a_series(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    path = folder / "slice-0003.dcm"
    path.write_bytes(path.read_bytes()[:-60])
    assert refusal(folder).code == "INPUT_UNREADABLE"


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


# -- bad DICOM series --------------------------------------------------------------------------------------------------


def moved(offsets: dict[int, tuple[float, float, float]] | None = None, shift=None):
    """An edit that moves slices in LPS mm: some by number, or all by a function of their number."""

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        offset = shift(number) if shift else (offsets or {}).get(number, (0, 0, 0))
        position = [float(value) + change for value, change in zip(dataset.ImagePositionPatient, offset, strict=True)]
        dataset.ImagePositionPatient = [round(value, 6) for value in position]

    return edit


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(0.2)), 0)), "INPUT_GANTRY_TILT"),
        (moved(shift=lambda n: (2.5 * n * np.tan(np.radians(14)), 0, 0)), "INPUT_GANTRY_TILT"),
        (moved({3: (0, 0, 0.06)}), "INPUT_IRREGULAR_SLICES"),
        (moved({5: (0, 0, 1.0)}), "INPUT_IRREGULAR_SLICES"),
        (moved({2: (0.4, 0, 0)}), "INPUT_IRREGULAR_SLICES"),
        (moved({5: (0, 0, 2.5)}), "INPUT_MISSING_SLICES"),
        (moved({0: (0, 0, -7.5)}), "INPUT_MISSING_SLICES"),
        (moved({4: (0, 0, -2.5)}), "INPUT_DUPLICATE_SLICES"),
        (moved(shift=lambda n: (0, 0, -2.5 * n)), "INPUT_DUPLICATE_SLICES"),
    ],
)
def test_slice_positions(tmp_path: Path, ct: np.ndarray, edit, code: str) -> None:
    assert refusal(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, edit)).code == code


@pytest.mark.parametrize(
    "edit",
    [
        moved({3: (0, 0, 0.02)}),
        moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(0.05)), 0)),
    ],
    ids=["steps within 0.05 mm", "tilt within 0.1 degrees"],
)
def test_small_deviations_are_accepted(tmp_path: Path, ct: np.ndarray, edit) -> None:
    read = read_input(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, edit))
    assert read.volume.geometry.spacing == pytest.approx((0.9, 1.1, 2.5), abs=1e-3)


def test_the_values_of_the_sentences(tmp_path: Path, ct: np.ndarray) -> None:
    series = [
        moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(14)), 0)),
        moved({0: (0, 0, -7.5)}),
        moved({5: (0, 0, 1.0)}),
        moved({4: (0, 0, -2.5)}),
    ]
    values = [
        refusal(ct_variants.write_dicom_series(tmp_path / str(n), ct, RAS_GRID, edit)).problem.values
        for n, edit in enumerate(series)
    ]
    assert values[0]["degrees"] == pytest.approx(14, abs=0.01)
    assert values[1] == {"missing": 3, "position_mm": pytest.approx(702.75)}
    assert values[2] == {"smallest_mm": pytest.approx(2.5), "largest_mm": pytest.approx(3.5)}
    assert values[3] == {"count": 1}


def changed(number: int, **attributes):
    def edit(dataset: pydicom.Dataset, current: int) -> None:
        if number in (current, -1):
            for name, value in attributes.items():
                if value is None:
                    delattr(dataset, name)
                else:
                    setattr(dataset, name, value)

    return edit


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (changed(-1, Modality="MR"), "INPUT_NOT_CT"),
        (changed(-1, Modality="PT"), "INPUT_NOT_CT"),
        (changed(-1, Modality=None), "INPUT_NOT_CT"),
        (changed(2, PixelSpacing=["0.9", "0.9"]), "INPUT_INCONSISTENT_SLICES"),
        (changed(2, ImageOrientationPatient=["1", "0", "0", "0", "0", "-1"]), "INPUT_INCONSISTENT_SLICES"),
        (changed(2, ImagePositionPatient=None), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, PixelSpacing=None), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, ImageOrientationPatient=["1", "0", "0", "1", "0", "0"]), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, ImageOrientationPatient=["0", "0", "0", "0", "0", "0"]), "INPUT_DEGENERATE_DIRECTION"),
        (changed(-1, SamplesPerPixel=3), "INPUT_NOT_SCALAR"),
        (changed(3, SeriesInstanceUID=generate_uid()), "INPUT_SEVERAL_SERIES"),
    ],
)
def test_headers_of_a_series(tmp_path: Path, ct: np.ndarray, edit, code: str) -> None:
    assert refusal(ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, edit)).code == code


@pytest.mark.parametrize("slices", [1, 2])
def test_a_series_of_few_slices(tmp_path: Path, ct: np.ndarray, slices: int) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct[:slices], RAS_GRID)
    assert refusal(folder).code == "INPUT_TOO_FEW_SLICES"


def test_several_multi_frame_files(tmp_path: Path, ct: np.ndarray) -> None:
    first = ct_variants.write_enhanced_dicom(tmp_path / "a.dcm", ct[:3], RAS_GRID)
    upper = RAS_GRID.copy()
    upper[:3, 3] += 3 * upper[:3, 2]
    second = ct_variants.write_enhanced_dicom(tmp_path / "b.dcm", ct[3:], upper)
    assert refusal(tmp_path).code == "INPUT_SEVERAL_SERIES"
    dataset = pydicom.dcmread(second)
    dataset.SeriesInstanceUID = pydicom.dcmread(first).SeriesInstanceUID
    dataset.save_as(second)
    assert refusal(tmp_path).code == "INPUT_INCONSISTENT_SLICES"


def test_a_damaged_header_is_not_passed_over(tmp_path: Path, ct: np.ndarray) -> None:
    folder = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID)
    last = folder / "slice-0001.dcm"
    last.write_bytes(last.read_bytes()[:140] + b"\xff" * 40)
    assert refusal(folder).code == "INPUT_UNREADABLE"


# -- voxels from Slicer ------------------------------------------------------------------------------------------------


def transfer(folder: Path, array: np.ndarray, matrix: np.ndarray = RAS_GRID, **fields) -> CtHeader:
    """Writes ct.raw as Slicer does and returns its header."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job_folder.CT_VOXELS).write_bytes(array.tobytes())
    described = {"ct_id": "1", "shape": list(array.shape), "dtype": array.dtype.name, **fields}
    return CtHeader(ijk_to_ras=matrix.ravel().tolist(), **described)


@pytest.mark.parametrize("codes", ["RAS", "LAS", "PIR"])
@pytest.mark.parametrize("dtype", [np.int16, np.float64, np.uint16])
def test_transferred_voxels(tmp_path: Path, ct: np.ndarray, codes: str, dtype: type) -> None:
    array, matrix = ct_variants.reordered(ct, RAS_GRID, codes)
    offset = 1024 if dtype == np.uint16 else 0
    header = transfer(tmp_path, (array + offset).astype(dtype), matrix, series_instance_uid="1.2.3")
    read = read_transferred(tmp_path, header)
    assert_same_patient(read, array + offset, matrix, tolerance_mm=1e-9)
    assert read.series_instance_uid == "1.2.3"
    assert [warning.code for warning in read.warnings] == (["IMPLAUSIBLE_HU"] if offset else [])


def sheared() -> np.ndarray:
    matrix = RAS_GRID.copy()
    matrix[1, 2] = 0.3
    return matrix


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"array": np.zeros((6, 7, 9, 3), np.uint8)}, "INPUT_NOT_SCALAR"),
        ({"array": np.zeros((7, 9), np.int16)}, "INPUT_NOT_3D"),
        ({"array": np.zeros((1, 7, 9), np.int16)}, "INPUT_TOO_FEW_SLICES"),
        ({"array": np.full((6, 7, 9), np.nan)}, "INPUT_NON_FINITE"),
        ({"matrix": sheared()}, "INPUT_SHEARED"),
        ({"matrix": np.zeros((4, 4))}, "INPUT_DEGENERATE_DIRECTION"),
        ({"dtype": "object"}, "BAD_REQUEST"),
        ({"dtype": "no type"}, "BAD_REQUEST"),
        ({"shape": [6, 7, 8]}, "BAD_REQUEST"),
    ],
)
def test_bad_transferred_voxels(tmp_path: Path, ct: np.ndarray, change: dict, code: str) -> None:
    header = transfer(tmp_path, **{"array": ct, **change})
    with pytest.raises(SegmentationError) as caught:
        read_transferred(tmp_path, header)
    assert caught.value.code == code


def test_a_transferred_volume_is_judged_by_its_dicom_headers(tmp_path: Path, ct: np.ndarray) -> None:
    tilt = moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(14)), 0))
    series = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, tilt)
    files = [str(path) for path in series.iterdir()]
    for array in (ct, ct[::-1]):  # Slicer may hold the stack in the other order
        with pytest.raises(SegmentationError) as caught:
            read_transferred(tmp_path, transfer(tmp_path, np.ascontiguousarray(array), dicom_files=files))
        assert caught.value.code == "INPUT_GANTRY_TILT"


def test_a_resampled_volume_is_not_judged_by_the_series_positions(tmp_path: Path, ct: np.ndarray) -> None:
    tilt = moved(shift=lambda n: (0, 2.5 * n * np.tan(np.radians(14)), 0))
    files = [str(path) for path in ct_variants.write_dicom_series(tmp_path / "tilted", ct, RAS_GRID, tilt).iterdir()]
    straight = np.stack([np.roll(slice_, k, axis=0) for k, slice_ in enumerate(ct)])
    assert read_transferred(tmp_path, transfer(tmp_path, straight, dicom_files=files)).warnings == []
    cropped = np.ascontiguousarray(ct[1:])
    assert read_transferred(tmp_path, transfer(tmp_path, cropped, dicom_files=files)).warnings == []


def test_a_transferred_volume_of_another_modality(tmp_path: Path, ct: np.ndarray) -> None:
    series = ct_variants.write_dicom_series(tmp_path / "series", ct, RAS_GRID, changed(-1, Modality="MR"))
    files = [str(path) for path in series.iterdir()]
    with pytest.raises(SegmentationError) as caught:
        read_transferred(tmp_path, transfer(tmp_path, ct // 2, dicom_files=files))
    assert caught.value.code == "INPUT_NOT_CT"


def test_dicom_files_that_have_gone_are_not_needed(tmp_path: Path, ct: np.ndarray) -> None:
    header = transfer(tmp_path, ct, dicom_files=[str(tmp_path / "gone.dcm")])
    assert read_transferred(tmp_path, header).warnings == []


# -- real data ---------------------------------------------------------------------------------------------------------


@pytest.mark.shared
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
        ("README.md", "INPUT_UNREADABLE"),
        ("LICENSES", "INPUT_UNREADABLE"),
    ],
)
def test_real_bad_input(shared: Path, path: str, code: str) -> None:
    assert refusal(shared / "data" / path).code == code


@pytest.mark.shared
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


@pytest.mark.shared
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


@pytest.mark.shared
def test_real_values_that_are_no_hounsfield_units(shared: Path) -> None:
    read = read_input(shared / "data" / "niivue_pitch" / "CT_pitch.nii.gz")
    assert [warning.code for warning in read.warnings] == ["IMPLAUSIBLE_HU"]
