"""Measurement reports that refer to a DICOM SEG that exists (``--seg``)."""

from __future__ import annotations

import shutil
from pathlib import Path

import pydicom
import pytest
from export_case import error_code
from report_support import SEG, ReportCase, groups_of, measured, referred_to
from rtstruct_support import conformance_errors
from TotalSegmentatorWire.errors.problem import ERRORS


@pytest.fixture
def seg(exported: Path, tmp_path: Path) -> Path:
    """A SEG of the case's structures."""
    return Path(shutil.copy(exported / SEG, tmp_path / "seg.dcm"))


def changed(path: Path, change) -> None:
    dataset = pydicom.dcmread(path)
    change(dataset)
    dataset.save_as(path)


def test_it_is_referred_to_and_no_other_one_is_written(case: ReportCase, seg: Path, tmp_path: Path):
    before = seg.read_bytes()
    assert case.run("--to", "sr", "--seg", seg, tmp_path / "m.dcm") == 0
    assert sorted(path.name for path in tmp_path.glob("*.dcm")) == ["m.dcm", "seg.dcm"]
    assert seg.read_bytes() == before
    dataset = pydicom.dcmread(seg)
    for group, segment in zip(groups_of(tmp_path / "m.dcm"), dataset.SegmentSequence, strict=True):
        assert referred_to(group) == (dataset.SOPInstanceUID, segment.SegmentNumber)
        assert group.tracking_uid == segment.TrackingUID
    assert not conformance_errors(tmp_path / "m.dcm")


def test_segments_are_found_under_other_names_and_numbers(case: ReportCase, seg: Path, tmp_path: Path):
    """As another program may have written it, which tracks its segments or does not."""

    def rename(dataset) -> None:
        for segment, name in zip(dataset.SegmentSequence, ("liver", "kidney_right", "my TUMOUR"), strict=True):
            segment.SegmentLabel = name
            del segment.TrackingUID, segment.TrackingID
        dataset.SegmentSequence[0].TrackingUID, dataset.SegmentSequence[0].TrackingID = "1.2.3", "Leber"

    changed(seg, rename)
    order = ("--structures", "kidney_right,liver", "--seg", seg)
    assert case.run("--to", "sr", *order, tmp_path / "m.dcm") == 0
    liver, kidney = groups_of(tmp_path / "m.dcm")
    assert (liver.tracking_identifier, liver.tracking_uid) == ("Leber", "1.2.3")
    assert (kidney.tracking_identifier, referred_to(kidney)[1]) == ("Kidney~_R", 2)
    assert measured(kidney)[0] == pytest.approx(case.expected()["Kidney~_R"][0], abs=0.0006)


def test_a_label_map_can_be_referred_to(case: ReportCase, tmp_path: Path):
    """dciodvfy of 2022 does not know that a Label Map Segmentation is a segmentation, so it is not asked."""
    chosen = ("--structures", "liver,kidney_right")
    assert case.run("--to", "seg", "--encoding", "labelmap", *chosen, tmp_path / "map.dcm") == 0
    assert case.run("--to", "sr", "--seg", tmp_path / "map.dcm", *chosen, tmp_path / "m.dcm") == 0
    assert [referred_to(group)[1] for group in groups_of(tmp_path / "m.dcm")] == [1, 2]


def other_frame(dataset) -> None:
    dataset.FrameOfReferenceUID = "1.2.3"


def other_patient(dataset) -> None:
    dataset.PatientID = "somebody else"


def other_names(dataset) -> None:
    dataset.SegmentSequence[2].SegmentLabel = "Spleen"


def other_voxels(dataset) -> None:
    data = bytearray(dataset.PixelData)
    at = next(index for index, byte in enumerate(data) if byte == 0xFF)
    data[at] = 0xFE
    dataset.PixelData = bytes(data)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (other_frame, "SEG_OTHER_FRAME"),
        (other_patient, "EXPORT_OTHER_PATIENT"),
        (other_names, "SEG_LACKS_STRUCTURES"),
        (other_voxels, "SEG_VOXELS_DIFFER"),
    ],
)
def test_a_seg_of_something_else_is_refused(case: ReportCase, seg: Path, tmp_path: Path, capsys, change, code: str):
    changed(seg, change)
    assert case.run("--to", "sr", "--seg", seg, tmp_path / "m.dcm") == ERRORS[code].exit_code
    assert error_code(capsys) == code
    assert not (tmp_path / "m.dcm").exists()


def test_a_file_that_is_no_seg_is_refused(case: ReportCase, seg: Path, tmp_path: Path, capsys):
    for path, code in (
        (tmp_path / "absent.dcm", "SEG_NOT_FOUND"),
        (next(case.ct.iterdir()), "SEGMENTATION_UNREADABLE"),
    ):
        assert case.run("--to", "sr", "--seg", path, tmp_path / "m.dcm") == ERRORS[code].exit_code
        assert error_code(capsys) == code
    assert case.run("--to", "sr", "--seg", seg, seg) == ERRORS["OUTPUT_IS_INPUT"].exit_code


@pytest.mark.parametrize("option", [("--seg", "SEG"), ("--observer", "A^B")])
def test_other_formats_do_not_take_its_options(case: ReportCase, seg: Path, tmp_path: Path, capsys, option):
    given = [str(seg) if word == "SEG" else word for word in option]
    assert case.run("--to", "rtstruct", *given, tmp_path / "m.dcm") == ERRORS["EXPORT_FORMAT_MISMATCH"].exit_code
    assert option[0] in capsys.readouterr().err
