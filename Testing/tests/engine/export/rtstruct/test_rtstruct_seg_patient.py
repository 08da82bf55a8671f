"""The patient's identifiers in sequences keep their letters where an object needs another character set than the CT."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from export_support import write_ct_series
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from roi_support import RAS_GRID, SHAPE, a_roi, kidney
from TotalSegmentatorEngine.export.core.codes import Code, RoiCodes
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries, read_reference
from TotalSegmentatorEngine.export.rtstruct.writer import write_rtstruct
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry

WRITERS = {"rtstruct": write_rtstruct, "seg": write_seg}
GREEK = "Ήπαρ"


def an_identifier(value: str, issuer: str, **attributes) -> Dataset:
    item = Dataset()
    item.PatientID, item.IssuerOfPatientID, item.TypeOfPatientID = value, issuer, "TEXT"
    for name, stated in attributes.items():
        setattr(item, name, stated)
    return item


def a_ct(folder: Path, syntax: str, identifiers: list[Dataset], character_set: str) -> ReferenceSeries:
    air = np.full(SHAPE, -1000, np.int16)
    attributes = {"SpecificCharacterSet": character_set, "OtherPatientIDsSequence": identifiers}
    write_ct_series(folder, air, Geometry(SHAPE, RAS_GRID), **attributes)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.decode()
        dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(path, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=True)
    return read_reference(folder)


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRLittleEndian], ids=["implicit", "explicit"])
@pytest.mark.parametrize("kind", WRITERS)
def test_nested_identifiers_of_the_patient_keep_their_letters(tmp_path: Path, kind: str, syntax: str):
    qualifier = Dataset()
    qualifier.UniversalEntityID, qualifier.UniversalEntityIDType = "Straße", "DNS"
    identifier = an_identifier("Zürich-7", "Übersee", IssuerOfPatientIDQualifiersSequence=[qualifier])
    reference = a_ct(tmp_path / "ct", syntax, [identifier, an_identifier("8", "Köln")], "ISO_IR 100")
    for name, expected in (("Liver", "ISO_IR 100"), (GREEK, "ISO_IR 192")):
        path = tmp_path / "object.dcm"
        WRITERS[kind](path, [a_roi(1, name, kidney())], reference)
        dataset = pydicom.dcmread(path)
        assert dataset.SpecificCharacterSet == expected
        first, second = dataset.OtherPatientIDsSequence
        assert (first.PatientID, first.IssuerOfPatientID) == ("Zürich-7", "Übersee")
        assert first.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "Straße"
        assert (second.PatientID, second.IssuerOfPatientID) == ("8", "Köln")


@pytest.mark.parametrize("kind", WRITERS)
def test_an_item_with_a_character_set_of_its_own(tmp_path: Path, kind: str):
    """PS3.3 C.12.1.1.2: an item can state one, which then holds for it alone."""
    identifier = an_identifier("Μ-7", "Αθήνα", SpecificCharacterSet="ISO_IR 126")
    reference = a_ct(tmp_path / "ct", ImplicitVRLittleEndian, [identifier], "ISO_IR 100")
    WRITERS[kind](tmp_path / "object.dcm", [a_roi(1, "Печень", kidney())], reference)
    (item,) = pydicom.dcmread(tmp_path / "object.dcm").OtherPatientIDsSequence
    assert (item.PatientID, item.IssuerOfPatientID) == ("Μ-7", "Αθήνα")


@pytest.mark.parametrize("kind", WRITERS)
def test_meanings_of_codes_keep_their_letters(tmp_path: Path, kind: str):
    """Those of another maker's file can be in any script, under a plain name."""
    codes = RoiCodes(Code("SCT", "123037004", "Körperteil"), Code("SCT", "10200004", GREEK))
    reference = a_ct(tmp_path / "ct", ExplicitVRLittleEndian, [], "ISO_IR 100")
    WRITERS[kind](tmp_path / "object.dcm", [a_roi(1, "Liver", kidney(), codes=codes)], reference)
    dataset = pydicom.dcmread(tmp_path / "object.dcm")
    if kind == "seg":
        (item,) = dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence
    else:
        (item,) = dataset.RTROIObservationsSequence[0].RTROIIdentificationCodeSequence
    assert item.CodeMeaning == GREEK
