"""What a structure set says: of whom it is, what it refers to, what its structures are; and how writing one can end."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from ct_variants import write_enhanced_dicom
from rtstruct_support import (
    AXIAL,
    ball,
    contours_of,
    differing,
    make_roi,
    read,
    reference_on,
    written,
)
from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.dicom.text import decimal_string
from TotalSegmentatorEngine.export.rtstruct.reader import read_rtstruct
from TotalSegmentatorEngine.export.rtstruct.writer import StructureSetOptions, write_rtstruct
from TotalSegmentatorWire.errors.problem import SegmentationError


@pytest.mark.filterwarnings("ignore:The value length")  # of the CT's own Study ID
def test_refers_to_the_ct_and_all_of_its_images(tmp_path: Path, shared: Path):
    reference = read_reference(shared / "data" / "sts_001" / "dicom")
    mask = ball(reference.grid.shape, (30, 100, 100), 20)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Ball", mask)], reference)
    ct = reference.dataset
    for name in ("PatientName", "PatientID", "PatientSex", "PatientWeight", "StudyDate", "AccessionNumber", "StudyID"):
        assert dataset[name].value == ct[name].value, name
    assert dataset.StudyInstanceUID == ct.StudyInstanceUID
    assert dataset.SeriesInstanceUID not in (ct.SeriesInstanceUID, dataset.SOPInstanceUID)
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    uids = {dataset.FrameOfReferenceUID, frame.FrameOfReferenceUID}
    uids |= {item.ReferencedFrameOfReferenceUID for item in dataset.StructureSetROISequence}
    assert uids == {ct.FrameOfReferenceUID}
    assert study.ReferencedSOPInstanceUID == ct.StudyInstanceUID
    assert series.SeriesInstanceUID == ct.SeriesInstanceUID
    files = (shared / "data" / "sts_001" / "dicom").iterdir()
    images = [image.ReferencedSOPInstanceUID for image in series.ContourImageSequence]
    assert sorted(images) == sorted(read(path).SOPInstanceUID for path in files)


def test_a_ct_whose_identifiers_were_emptied_is_known_by_its_meta_information(tmp_path: Path, shared: Path):
    folder = shared / "data" / "example_ct_dicom"
    reference = read_reference(folder)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, "Ball", ball((20, 512, 512), (9, 200, 200), 8))], reference)
    (study,) = dataset.ReferencedFrameOfReferenceSequence[0].RTReferencedStudySequence
    (series,) = study.RTReferencedSeriesSequence
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = {read(path).file_meta.MediaStorageSOPInstanceUID for path in folder.iterdir()}
    assert {image.ReferencedSOPInstanceUID for image in series.ContourImageSequence} == expected
    again = written(tmp_path / "again.dcm", [make_roi(1, "Ball", ball((20, 512, 512), (9, 200, 200), 8))], reference)
    assert dataset.StudyInstanceUID == again.StudyInstanceUID != ""


def test_a_multi_frame_ct_is_referred_to_by_frame(tmp_path: Path):
    order = [3, 1, 0, 2, 4, 5, 8, 7, 6]
    path = write_enhanced_dicom(tmp_path / "ct.dcm", np.zeros(AXIAL.shape, np.int16), AXIAL.ijk_to_ras, order)
    reference = read_reference(path)
    rois = [make_roi(1, "All", np.ones(AXIAL.shape, bool))]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    frames = [contour.ContourImageSequence[0].ReferencedFrameNumber for contour, _points in contours_of(dataset)]
    assert [order[frame - 1] for frame in frames] == list(range(9))
    assert not differing(rois, tmp_path / "rs.dcm", reference)


def test_says_what_each_structure_is(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    tumour = RoiCodes(
        category=Code("SCT", "49755003", "Morphologically Altered Structure"),
        type=Code("SCT", "1234567890123456789", "Something with a long code"),
        region=Code("SCT", "10200004", "Liver"),
    )
    rois = [
        make_roi(1, "Kidney_R", shell, models=("104-3mm",)),
        make_roi(4, "GTV", shell, algorithm="MANUAL", description="", interpreted_type="GTV", codes=tumour),
        make_roi(7, "BODY", shell, interpreted_type="EXTERNAL", codes=None, algorithm="SEMIAUTOMATIC"),
    ]
    dataset = written(tmp_path / "rs.dcm", rois, reference)
    kidney, gtv, body = dataset.RTROIObservationsSequence
    assert [item.ROINumber for item in dataset.StructureSetROISequence] == [1, 4, 7]
    assert [item.ReferencedROINumber for item in dataset.ROIContourSequence] == [1, 4, 7]
    assert [item.ReferencedROINumber for item in dataset.RTROIObservationsSequence] == [1, 4, 7]
    algorithms = [item.ROIGenerationAlgorithm for item in dataset.StructureSetROISequence]
    assert algorithms == ["AUTOMATIC", "MANUAL", "SEMIAUTOMATIC"]
    assert dataset.StructureSetROISequence[0].ROIGenerationDescription == "TotalSegmentator 104 3mm 0.1.0"
    assert [item.RTROIInterpretedType for item in (kidney, gtv, body)] == ["ORGAN", "GTV", "EXTERNAL"]
    (identification,) = kidney.RTROIIdentificationCodeSequence
    assert (identification.CodeValue, identification.CodingSchemeDesignator) == ("64033007", "SCT")
    assert identification.EquivalentCodeSequence[0].CodeValue == "7204"
    assert identification.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Right"
    assert kidney.SegmentedPropertyCategoryCodeSequence[0].CodeValue == "123037004"
    assert gtv.RTROIIdentificationCodeSequence[0].LongCodeValue == "1234567890123456789"
    assert gtv.AnatomicRegionSequence[0].CodeMeaning == "Liver"
    assert "RTROIIdentificationCodeSequence" not in body
    assert dataset.ROIContourSequence[0].ROIDisplayColor == [200, 100, 50]
    assert (dataset.ApprovalStatus, dataset.StructureSetLabel) == ("UNAPPROVED", "AI and other")
    assert dataset.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"


@pytest.mark.parametrize(
    ("character_set", "patient", "name", "expected"),
    [
        ("ISO_IR 100", "Müller^Jürgen", "Leber ä", "ISO_IR 100"),
        ("ISO_IR 100", "Müller^Jürgen", "Печень", "ISO_IR 192"),
        ("ISO_IR 144", "Люкceмбypг", "Печень", "ISO_IR 144"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう", "肝臓", ["", "ISO 2022 IR 87"]),
        ("ISO_IR 192", "王^小东", "肝", "ISO_IR 192"),
        (None, "Smith^John", "Leber ä", "ISO_IR 192"),
        (None, "Smith^John", "Liver", None),
    ],
)
def test_names_and_patients_of_all_scripts(tmp_path: Path, shell: np.ndarray, character_set, patient, name, expected):
    attributes = {"PatientName": patient}
    if character_set is not None:
        attributes = {"SpecificCharacterSet": character_set, **attributes}
    reference = reference_on(tmp_path / "ct", **attributes)
    dataset = written(tmp_path / "rs.dcm", [make_roi(1, name, shell)], reference)
    assert dataset.get("SpecificCharacterSet") == expected
    assert dataset.PatientName == patient
    assert dataset.StructureSetROISequence[0].ROIName == name
    assert read_rtstruct(tmp_path / "rs.dcm", reference)[0].name == name


@pytest.mark.parametrize("name", ["", "  ", "a" * 65, "left\\right", "two\nlines"])
def test_names_that_dicom_cannot_hold_are_refused(tmp_path: Path, reference: ReferenceSeries, shell, name: str):
    with pytest.raises(SegmentationError) as caught:
        write_rtstruct(tmp_path / "rs.dcm", [make_roi(1, name, shell)], reference)
    assert caught.value.code == "EXPORT_NAME_INVALID"


def test_a_label_of_more_than_sixteen_characters_is_refused(tmp_path: Path, reference: ReferenceSeries, shell):
    with pytest.raises(SegmentationError) as caught:
        options = StructureSetOptions(label="Seventeen letters")
        write_rtstruct(tmp_path / "rs.dcm", [make_roi(1, "Shell", shell)], reference, options)
    assert caught.value.code == "EXPORT_NAME_INVALID"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-0.0, "0"),
        (12.0, "12"),
        (-881.325, "-881.325"),
        (1e-17, "1e-17"),
        (-0.1234567890123456, "-0.1234567890123"),
        (1 / 3 * 1e-7, "3.3333333333e-08"),
        (-123456789012345678.0, "-1.234567890e+17"),
    ],
)
def test_decimal_strings_fit_into_sixteen_bytes(value: float, text: str):
    assert len(decimal_string(value)) <= 16
    assert float(decimal_string(value)) == pytest.approx(float(text), rel=1e-9)
    if len(text) < 16:
        assert decimal_string(value) == text


# -- ends --------------------------------------------------------------------------------------------------------------


def test_cancelling_leaves_the_file_of_before(tmp_path: Path, reference: ReferenceSeries, shell: np.ndarray):
    rois = [make_roi(1, "First", shell), make_roi(2, "Second", shell)]
    write_rtstruct(tmp_path / "rs.dcm", rois[:1], reference)
    before = (tmp_path / "rs.dcm").read_bytes()

    def cancel_at_second(index: int, roi: Roi) -> None:
        if index == 1:
            assert roi.name == "Second"
            raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError, match="cancelled"):
        write_rtstruct(tmp_path / "rs.dcm", rois, reference, progress=cancel_at_second)
    assert (tmp_path / "rs.dcm").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ct", "rs.dcm"]


def test_a_folder_that_is_not_there_is_reported_before_contouring(tmp_path: Path, reference: ReferenceSeries, shell):
    contoured: list[int] = []
    with pytest.raises(SegmentationError) as caught:
        write_rtstruct(
            tmp_path / "no" / "rs.dcm",
            [make_roi(1, "Shell", shell)],
            reference,
            progress=lambda index, _roi: contoured.append(index),
        )
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"
    assert not contoured
