"""Several volumes in one series: told apart where their slices interleave or coincide, left alone where they do not."""

from __future__ import annotations

import shutil
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid
from series_support import (
    AXIAL,
    ORIGIN_MM,
    STEP_MM,
    SegmentCommand,
    change,
    chest,
    handed_over,
    pixels_of,
    write_series,
)
from TotalSegmentatorWire.errors.problem import SegmentationError


def two_stacks(folder: Path, shift_mm: float, first: dict, second: dict) -> tuple[list[Path], list[Path]]:
    """One series of two stacks, the second one ``shift_mm`` higher."""
    common = {"SeriesInstanceUID": generate_uid(), "FrameOfReferenceUID": generate_uid()}
    common["StudyInstanceUID"] = generate_uid()
    stacks = []
    for seed, attributes in ((1, first), (2, {"InstanceNumber": lambda number: 101 + number, **second})):
        moved = {"ImagePositionPatient": lambda n: [-20, -20, ORIGIN_MM + STEP_MM * n + shift_mm]} if seed == 2 else {}
        stacks.append(
            write_series(folder, chest(seed), "S" + str(seed) + "-{:02d}.dcm", **common, **moved, **attributes)
        )
    return stacks[0], stacks[1]


DIFFERENCES = [
    ({"AcquisitionNumber": 3}, {"AcquisitionNumber": 4}, "acquisition 4"),
    ({"AcquisitionTime": "100000.5"}, {"AcquisitionTime": "100140"}, "acquired at 10:01:40"),
    (
        {"AcquisitionDateTime": lambda n: "202601021000{:02d}".format(n)},
        {"AcquisitionDateTime": lambda n: "202601021003{:02d}".format(n)},
        "acquired at 10:03:00",
    ),
    ({"ConvolutionKernel": "B31f"}, {"ConvolutionKernel": "B70f"}, "kernel B70f"),
    ({"ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"]}, {"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "MIP"]}, "MIP"),
    ({"KVP": "80"}, {"KVP": "140"}, "140 kV"),
    ({"SliceThickness": "2"}, {"SliceThickness": "5"}, "5 mm thick"),
    ({"ContrastBolusAgent": ""}, {"ContrastBolusAgent": "IOPAMIDOL"}, "contrast IOPAMIDOL"),
    ({"TemporalPositionIdentifier": 1}, {"TemporalPositionIdentifier": 2}, "phase 2"),
    ({"NominalPercentageOfCardiacPhase": 40.0}, {"NominalPercentageOfCardiacPhase": 75.0}, "phase 75"),
    ({"SeriesDescription": "arterial"}, {"SeriesDescription": "venous"}, "series venous"),
    ({"PatientPosition": "HFS"}, {"PatientPosition": "HFP"}, "position HFP"),
    (
        {"PatientName": "Miller^A", "ImageComments": "Miller native"},
        {"PatientName": "Miller^A", "ImageComments": "Miller 70 s"},
        "comment ... 70 s",
    ),
    ({"PatientID": "Miller 1"}, {"PatientID": "Miller 2"}, "patient 2"),
    ({}, {}, "images 101 to 108"),
    ({"AcquisitionNumber": 3}, {"AcquisitionNumber": 4}, "acquisition 3"),
    ({}, {}, "images 1 to 8"),
]
"""Each with its slices at the same places, half a step apart, or a third."""


@pytest.mark.parametrize(
    ("first", "second", "said", "shift_mm"),
    [(*difference, (0.0, 1.0, 0.7)[number % 3]) for number, difference in enumerate(DIFFERENCES)],
    ids=[said for _, _, said in DIFFERENCES],
)
def test_two_volumes_in_one_series_are_listed(
    tmp_path: Path, segment: SegmentCommand, first: dict, second: dict, said: str, shift_mm: float
) -> None:
    one, two = two_stacks(tmp_path / "ct", shift_mm, first, second)
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SEVERAL_SERIES", run.err
    assert run.rows == ["1.1", "1.2"] + (["1"] if shift_mm else [])
    assert said in run.err and "Miller" not in run.err
    chosen = {row: segment(tmp_path / "ct", "--series", row).array for row in ("1.1", "1.2")}
    expected = [pixels_of(one), pixels_of(two)]
    found = sorted(chosen.values(), key=lambda array: np.array_equal(array, expected[1]))
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(found[1], expected[1])
    files = [path for pair in zip(one, two, strict=True) for path in pair]
    with pytest.raises(SegmentationError) as caught:
        handed_over(tmp_path / "job", pixels_of(files), files)
    assert caught.value.code == "INPUT_SEVERAL_SERIES"


def test_four_phases_without_any_label_follow_the_image_numbers(tmp_path: Path, segment: SegmentCommand) -> None:
    uid = generate_uid()
    phases = [
        write_series(
            tmp_path / "ct",
            chest(seed),
            "P" + str(seed) + "-{:02d}.dcm",
            SeriesInstanceUID=uid,
            FrameOfReferenceUID="1.2.3",
            StudyInstanceUID="1.2.4",
            InstanceNumber=lambda number, seed=seed: number * 4 + seed + 1,
        )
        for seed in range(4)
    ]
    run = segment(tmp_path / "ct")
    assert (run.code, run.rows) == ("INPUT_SEVERAL_SERIES", ["1.1", "1.2", "1.3", "1.4"])
    for number, files in enumerate(phases, start=1):
        array = segment(tmp_path / "ct", "--series", "1.{}".format(number)).array
        np.testing.assert_array_equal(array, pixels_of(files))


def test_copies_of_a_number_are_told_apart_by_when_they_were_written(tmp_path: Path, segment: SegmentCommand) -> None:
    numbered = {"InstanceNumber": lambda number: number + 1}
    first = {**numbered, "ContentTime": lambda number: f"1000{number:02d}"}
    second = {**numbered, "ContentTime": lambda number: f"1005{number:02d}"}
    one, two = two_stacks(tmp_path / "ct", 0.0, first, second)
    for number, (a, b) in enumerate(zip(one, two, strict=True)):  # the names tell nothing
        if number % 2:
            swapped = a.rename(a.with_suffix(".tmp"))
            b.rename(a)
            swapped.rename(b)
    first_files = [(b if number % 2 else a) for number, (a, b) in enumerate(zip(one, two, strict=True))]
    second_files = [(a if number % 2 else b) for number, (a, b) in enumerate(zip(one, two, strict=True))]
    expected = [pixels_of(first_files), pixels_of(second_files)]
    run = segment(tmp_path / "ct")
    assert run.rows == ["1.1", "1.2"] and "written at 10:05:00" in run.err
    for row, array in zip(run.rows, expected, strict=True):
        np.testing.assert_array_equal(segment(tmp_path / "ct", "--series", row).array, array)


def test_phases_in_frames_of_one_file_are_told_apart(tmp_path: Path, segment: SegmentCommand) -> None:
    array = np.concatenate([chest(1), chest(2)])
    path = ct_variants.write_enhanced_dicom(tmp_path / "ct" / "ct.dcm", array, AXIAL)
    dataset = pydicom.dcmread(path)
    for number, frame in enumerate(dataset.PerFrameFunctionalGroupsSequence):
        frame.PlanePositionSequence[0].ImagePositionPatient = [-20, -20, ORIGIN_MM + STEP_MM * (number % 8)]
        content = pydicom.Dataset()
        content.TemporalPositionIndex = number // 8 + 1
        frame.FrameContentSequence = [content]
    dataset.save_as(path)
    run = segment(tmp_path / "ct")
    assert (run.code, run.rows) == ("INPUT_SEVERAL_SERIES", ["1.1", "1.2"])
    assert "phase 2" in run.err
    np.testing.assert_array_equal(segment(path, "--series", "1.2").array, array[8:])


# -- one volume, whatever its labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "attributes",
    [
        {"AcquisitionNumber": lambda n: n + 1},
        {"AcquisitionNumber": lambda n: n // 4 + 1, "AcquisitionTime": lambda n: "10000{}".format(n // 4 * 5)},
        {"AcquisitionNumber": lambda n: 9 - n},
        {"AcquisitionTime": lambda n: "1000{:02d}".format(n * 7)},
        {"InstanceNumber": lambda n: [5, 2, 8, 1, 7, 3, 6, 4][n]},
        {"InstanceNumber": lambda n: n % 4 + 1},
        {"InstanceNumber": lambda n: 1},
        {"SliceThickness": lambda n: "2" if n < 4 else "5"},
        {"SOPInstanceUID": lambda n: "1.2.840.{}".format(n // 2)},
        {"KVP": lambda n: "120" if n % 2 else "120.0" if n == 0 else "120"},
    ],
    ids="-".join,
)
def test_labels_that_change_along_the_patient_do_not_divide_a_ct(
    tmp_path: Path, segment: SegmentCommand, attributes: dict
) -> None:
    files = write_series(tmp_path / "ct", chest(), **attributes)
    run = segment(tmp_path / "ct")
    assert run.status == 0, run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


# -- copies and shared identifiers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_own_uids", [False, True])
def test_a_series_that_lies_there_twice_counts_once(
    tmp_path: Path, segment: SegmentCommand, has_own_uids: bool
) -> None:
    files = write_series(tmp_path / "ct" / "1", chest())
    shutil.copytree(tmp_path / "ct" / "1", tmp_path / "ct" / "again")
    if has_own_uids:
        for number, path in enumerate(sorted((tmp_path / "ct" / "again").iterdir())):
            change(path, SOPInstanceUID=generate_uid(), InstanceNumber=number + 50)
    run = segment(tmp_path / "ct")
    assert (run.status, run.note) == (0, "8 slices from -100.0 to -86.0 mm; passed over: 8 copies of slices")
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_a_series_that_was_sent_again_under_other_labels_counts_once(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct" / "1", chest())
    shutil.copytree(tmp_path / "ct" / "1", tmp_path / "ct" / "2")
    for path in (tmp_path / "ct" / "2").iterdir():
        change(path, SOPInstanceUID=generate_uid(), SeriesDescription="corrected", AcquisitionNumber=8)
    run = segment(tmp_path / "ct")
    assert run.status == 0 and "8 copies" in run.note, run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_one_slice_twice_with_other_pixels_is_no_copy(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    other = Path(shutil.copy(files[3], tmp_path / "ct" / "other.dcm"))
    dataset = pydicom.dcmread(other)
    dataset.PixelData = bytes(len(dataset.PixelData))
    dataset.save_as(other)
    assert segment(tmp_path / "ct").code == "INPUT_DUPLICATE_SLICES"


def test_a_uid_that_other_slices_have_too_costs_no_slice(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    change(files[5], SOPInstanceUID=str(pydicom.dcmread(files[2]).SOPInstanceUID))
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_UIDS_SHARED"])
    assert "(2 slices)" in run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


@pytest.mark.parametrize("attribute", ["PatientID", "FrameOfReferenceUID"])
def test_two_origins_end_to_end_are_warned_of(tmp_path: Path, segment: SegmentCommand, attribute: str) -> None:
    files = write_series(tmp_path / "ct", chest(), **{attribute: lambda n: "1.2.{}".format(n // 4)})
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_MIXED_ORIGIN"])
    read = handed_over(tmp_path / "job", pixels_of(files), files)
    assert [warning.code for warning in read.warnings] == ["INPUT_MIXED_ORIGIN"]


# -- images that are no slices -----------------------------------------------------------------------------------------


def test_localizers_and_pages_of_the_same_series_are_left_out(tmp_path: Path, segment: SegmentCommand) -> None:
    from series_support import write_page

    files = write_series(tmp_path / "ct", chest())
    uid = str(pydicom.dcmread(files[0]).SeriesInstanceUID)
    write_page(tmp_path / "ct" / "DOSE.dcm", uid)
    grey = {"SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    write_page(tmp_path / "ct" / "PAGE.dcm", uid, Modality="CT", **grey)
    write_series(
        tmp_path / "ct",
        chest(4, 2),
        "TOPO{}.dcm",
        SeriesInstanceUID=uid,
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
    )
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_IMAGES_LEFT_OUT"]), run.err
    assert "2 localizers" in run.err and "1 colour image" in run.err and "1 page without position" in run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_two_planes_in_one_series_are_listed(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(tmp_path / "ct", chest())
    uid = str(pydicom.dcmread(files[0]).SeriesInstanceUID)
    coronal = write_series(
        tmp_path / "ct",
        chest(5, 6),
        "COR{}.dcm",
        SeriesInstanceUID=uid,
        ImageOrientationPatient=[1, 0, 0, 0, 0, -1],
        ImagePositionPatient=lambda n: [-20, -20 + 3 * n, -90],
    )
    run = segment(tmp_path / "ct")
    assert (run.code, run.rows) == ("INPUT_SEVERAL_SERIES", ["1.1", "1.2"])
    assert "axial 18 x 16" in run.err and "coronal 18 x 16" in run.err
    row = "1.1" if "axial" in next(line for line in run.err.splitlines() if line.startswith("1.1")) else "1.2"
    np.testing.assert_array_equal(segment(tmp_path / "ct", "--series", row).array, pixels_of(files))
    assert len(coronal) == 6


@pytest.mark.parametrize("position", [[-20, -20, ORIGIN_MM], [0, 0, 0], [100, 0, -96]], ids=str)
def test_a_page_with_some_position_is_left_out(tmp_path: Path, segment: SegmentCommand, position: list) -> None:
    files = write_series(tmp_path / "ct", chest())
    (page,) = write_series(
        tmp_path / "ct",
        chest(3, 1),
        "PAGE{}.dcm",
        SeriesInstanceUID=str(pydicom.dcmread(files[0]).SeriesInstanceUID),
        ImageType=["DERIVED", "SECONDARY", "OTHER"],
        ImagePositionPatient=position,
    )
    run = segment(tmp_path / "ct")
    assert (run.status, run.warnings) == (0, ["INPUT_IMAGES_LEFT_OUT"]), run.err
    assert "1 page" in run.err and page.name in run.err
    np.testing.assert_array_equal(run.array, pixels_of(files))


def test_a_derived_slice_at_its_place_is_a_slice(tmp_path: Path, segment: SegmentCommand) -> None:
    files = write_series(
        tmp_path / "ct",
        chest(),
        ImageType=lambda n: ["DERIVED", "SECONDARY", "AXIAL"] if n == 7 else ["ORIGINAL", "PRIMARY", "AXIAL"],
    )
    np.testing.assert_array_equal(segment(tmp_path / "ct").array, pixels_of(files))


def test_files_with_a_series_uid_each_are_told_so(tmp_path: Path, segment: SegmentCommand) -> None:
    write_series(tmp_path / "ct", chest(), SeriesInstanceUID=lambda n: "1.2.840.99.{}".format(n))
    run = segment(tmp_path / "ct")
    assert run.code == "INPUT_SLICE_UNUSABLE" and "another Series Instance UID" in run.err
