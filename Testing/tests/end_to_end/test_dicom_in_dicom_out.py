"""A DICOM folder goes in and a structure set that attaches to it comes out, in one command.

Slow: the real engine segments two real CTs, with the demo model, which finds something in any of them.
"""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from places import DEMO_MODEL
from rtstruct_support import conformance_errors
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct

pytestmark = pytest.mark.slow  # see above


@pytest.mark.parametrize("name", ["example_ct_dicom", "cip_ct64/ct-64Dicom"])
def test_one_command_makes_a_structure_set_of_a_dicom_folder(tmp_path: Path, shared: Path, name: str):
    folder, output = shared / "data" / name, tmp_path / "rs.dcm"
    words = ["segment", folder, output, "--model", DEMO_MODEL, "--export", "rtstruct", "--external"]
    assert main([str(word) for word in words]) == 0
    reference, written = read_reference(folder), pydicom.dcmread(output)
    source = reference.dataset
    for attribute in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        # one of the series was emptied of its identifiers: what must not be empty is new then
        assert written.get(attribute) == (source.get(attribute) or written.get(attribute))
    (frame,) = written.ReferencedFrameOfReferenceSequence
    assert frame.FrameOfReferenceUID == source.FrameOfReferenceUID
    (series,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert series.SeriesInstanceUID == (source.SeriesInstanceUID or series.SeriesInstanceUID)
    uids = {plane.sop_instance_uid for plane in reference.planes}
    assert {item.ReferencedSOPInstanceUID for item in series.ContourImageSequence} == uids
    contours = [contour for roi in written.ROIContourSequence for contour in roi.ContourSequence]
    assert {contour.ContourImageSequence[0].ReferencedSOPInstanceUID for contour in contours} <= uids
    assert not conformance_errors(output) - conformance_errors(reference.planes[0].path)
    structures = read_rtstruct(output, reference)
    assert len(structures) > 50
    assert structures[0].interpreted_type == "EXTERNAL"
