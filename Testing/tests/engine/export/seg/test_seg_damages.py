"""DICOM SEG objects whose pixels, frames or segments are not what the header says: refused, or left out by name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import JPEGLSLossless, RLELossless
from roi_support import a_reference, a_roi, code_of, kidney, two_rois, whole_masks
from TotalSegmentatorEngine.export.dicom.reading_report import ReadingReport
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.seg.reader import read_seg
from TotalSegmentatorEngine.export.seg.writer import write_seg

KINDS = ("binary", "labelmap", "fractional")


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceSeries:
    return a_reference(tmp_path / "ct")


def seg_file(folder: Path, reference: ReferenceSeries, kind: str) -> Path:
    """Two structures that do not overlap, where the encoding cannot hold that."""
    path = folder / "seg.dcm"
    write_seg(path, two_rois(overlapping=kind == "binary"), reference, "labelmap" if kind == "labelmap" else "binary")
    if kind == "fractional":
        changed(path, make_fractional)
    return path


def changed(path: Path, change: Callable[[pydicom.Dataset], None]) -> Path:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path, enforce_file_format=True)
    return path


def make_fractional(dataset: pydicom.Dataset) -> None:
    """Whole probabilities in place of bits."""
    pixels = dataset.pixel_array.astype(np.uint8) * 200
    dataset.SegmentationType, dataset.SegmentationFractionalType = "FRACTIONAL", "PROBABILITY"
    dataset.MaximumFractionalValue = 200
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    data = pixels.tobytes()
    dataset.PixelData = data + bytes(len(data) % 2)


@pytest.mark.parametrize("kind", KINDS)
def test_whole_pixels_are_read(tmp_path: Path, reference: ReferenceSeries, kind: str):
    read = read_seg(seg_file(tmp_path, reference, kind), reference)
    for structure, mask in zip(read, whole_masks(two_rois(overlapping=kind == "binary")), strict=True):
        np.testing.assert_array_equal(structure.mask.whole(), mask)


@pytest.mark.parametrize("missing", [2, 40, 0.5, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_short_pixels_are_refused(tmp_path: Path, reference: ReferenceSeries, kind: str, missing: float):
    """The element says how short it is; a file that was cut off says it is longer than that."""
    path = seg_file(tmp_path, reference, kind)
    whole = path.read_bytes()
    size = len(pydicom.dcmread(path).PixelData)
    less = missing if missing > 1 else 2 * round(size * missing / 2)

    def shorten(dataset: pydicom.Dataset) -> None:
        dataset.PixelData = dataset.PixelData[:-less]

    assert code_of(lambda: read_seg(changed(path, shorten), reference)) == "SEGMENTATION_UNREADABLE"
    path.write_bytes(whole[:-less])
    assert code_of(lambda: read_seg(path, reference)) == "SEGMENTATION_UNREADABLE"


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless])
@pytest.mark.parametrize("kind", ["labelmap", "fractional"])
def test_short_compressed_pixels_are_refused(tmp_path: Path, reference: ReferenceSeries, kind: str, syntax: str):
    path = seg_file(tmp_path, reference, kind)
    changed(path, lambda dataset: dataset.compress(syntax, generate_instance_uid=False))
    assert len(read_seg(path, reference)) == 2
    whole = pydicom.dcmread(path)
    frames = list(generate_frames(whole.PixelData, number_of_frames=int(whole.NumberOfFrames)))
    fullest = max(range(len(frames)), key=lambda number: len(frames[number]))

    def with_frames(changed_frames: list[bytes]) -> str:
        dataset = copy.deepcopy(whole)
        dataset.PixelData = encapsulate(changed_frames)
        dataset["PixelData"].is_undefined_length = True
        dataset.save_as(path, enforce_file_format=True)
        return code_of(lambda: read_seg(path, reference))

    assert with_frames(frames[:-1]) == "SEGMENTATION_UNREADABLE"
    assert with_frames([*frames, frames[0]]) == "SEGMENTATION_UNREADABLE"
    for length in (2, 10, len(frames[fullest]) // 2):
        cut = [*frames[:fullest], frames[fullest][: length // 2 * 2], *frames[fullest + 1 :]]
        assert with_frames(cut) == "SEGMENTATION_UNREADABLE", length
    whole.save_as(path, enforce_file_format=True)
    content = path.read_bytes()
    for missing in (8, 9, 20, len(frames[-1])):
        path.write_bytes(content[:-missing])
        assert code_of(lambda: read_seg(path, reference)) == "SEGMENTATION_UNREADABLE", missing


def test_segments_that_share_a_number_are_left_out_and_the_others_read(tmp_path: Path, reference: ReferenceSeries):
    def twice(dataset: pydicom.Dataset) -> None:
        another = copy.deepcopy(dataset.SegmentSequence[0])
        another.SegmentLabel = "Adrenal_L"
        dataset.SegmentSequence.append(another)

    path = changed(seg_file(tmp_path, reference, "binary"), twice)
    report = ReadingReport()
    assert [structure.name for structure in read_seg(path, reference, report)] == ["GTV"]
    (problem,) = report.warnings()
    assert (problem.code, problem.values["names"]) == ("STRUCTURES_NUMBER_SHARED", "Kidney_L, Adrenal_L")


@pytest.mark.parametrize("kind", KINDS)
def test_voxels_of_segments_that_are_not_described_are_reported(tmp_path: Path, reference: ReferenceSeries, kind: str):
    def forget(dataset: pydicom.Dataset) -> None:
        described = [item for item in dataset.SegmentSequence if item.get("SegmentLabel") != "Kidney_L"]
        dataset.SegmentSequence = described

    report = ReadingReport()
    path = changed(seg_file(tmp_path, reference, kind), forget)
    assert [structure.name for structure in read_seg(path, reference, report)] == ["GTV"]
    (warning,) = report.warnings()
    assert (warning.code, warning.values["count"]) == ("SEGMENTS_UNDESCRIBED", 1)
    assert warning.values["names"].isdecimal()


def test_a_segment_beyond_the_ct_is_left_out_and_the_others_read(tmp_path: Path, reference: ReferenceSeries):
    lower = np.zeros_like(kidney())
    lower[0, 5:9, 5:9] = True
    rois = [a_roi(1, "Kidney_L", kidney()), a_roi(2, "Couch", lower)]
    write_seg(tmp_path / "seg.dcm", rois, reference)

    def move_below(dataset: pydicom.Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 2:
                position = frame.PlanePositionSequence[0].ImagePositionPatient
                frame.PlanePositionSequence[0].ImagePositionPatient = [*position[:2], float(position[2]) - 20.0]

    path = changed(tmp_path / "seg.dcm", move_below)
    report = ReadingReport()
    (read,) = read_seg(path, reference, report)
    np.testing.assert_array_equal(read.mask.whole(), kidney())
    assert [(problem.code, problem.values["names"]) for problem in report.warnings()] == [
        ("STRUCTURES_OUTSIDE_CT", "Couch")
    ]


def test_what_is_resampled_is_said(tmp_path: Path, reference: ReferenceSeries):
    path = tmp_path / "seg.dcm"
    write_seg(path, [a_roi(1, "Kidney_L", kidney())], reference)

    def shift(dataset: pydicom.Dataset) -> None:
        for frame in dataset.PerFrameFunctionalGroupsSequence:
            position = frame.PlanePositionSequence[0].ImagePositionPatient
            frame.PlanePositionSequence[0].ImagePositionPatient = [float(position[0]) + 0.3, *position[1:]]

    report = ReadingReport()
    assert len(read_seg(changed(path, shift), reference, report)) == 1
    assert [problem.code for problem in report.warnings()] == ["EXPORT_RESAMPLED"]


@pytest.mark.parametrize("kind", ["uneven steps", "beside each other"])
def test_frames_that_are_not_stacked_evenly_are_not_resampled(tmp_path: Path, reference: ReferenceSeries, kind: str):
    """Off the CT's pixels a segment is resampled as a volume, which they do not make."""
    rois = [a_roi(1, "Kidney_L", kidney()), a_roi(2, "Lump", kidney())]
    write_seg(tmp_path / "seg.dcm", rois, reference)

    def spoil(dataset: pydicom.Dataset) -> None:
        frames = [
            frame
            for frame in dataset.PerFrameFunctionalGroupsSequence
            if frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber == 2
        ]
        for number, frame in enumerate(frames):
            x, y, z = map(float, frame.PlanePositionSequence[0].ImagePositionPatient)
            off = (x, y, z + 0.4 * (number == 2)) if kind == "uneven steps" else (x + 0.3 * number, y, z)
            frame.PlanePositionSequence[0].ImagePositionPatient = list(off)

    report = ReadingReport()
    (read,) = read_seg(changed(tmp_path / "seg.dcm", spoil), reference, report)
    np.testing.assert_array_equal(read.mask.whole(), kidney())
    assert [(problem.code, problem.values["names"]) for problem in report.warnings()] == [
        ("STRUCTURES_NOT_RESAMPLED", "Lump")
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_the_type_in_small_letters_is_understood(tmp_path: Path, reference: ReferenceSeries, kind: str):
    def spell(dataset: pydicom.Dataset) -> None:
        dataset.SegmentationType = str(dataset.SegmentationType).lower()

    path = seg_file(tmp_path, reference, kind)
    before = [structure.mask.whole() for structure in read_seg(path, reference)]
    after = [structure.mask.whole() for structure in read_seg(changed(path, spell), reference)]
    assert len(before) == 2
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("lost", ["SegmentationType", "MaximumFractionalValue"])
def test_values_of_which_nobody_knows_what_they_mean_are_refused(tmp_path: Path, reference: ReferenceSeries, lost: str):
    path = changed(seg_file(tmp_path, reference, "fractional"), lambda dataset: delattr(dataset, lost))
    assert code_of(lambda: read_seg(path, reference)) == "SEGMENTATION_UNREADABLE"
