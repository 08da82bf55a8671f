"""What every DICOM object of ours has: identifiers, the patient and study of its CT, who made it, its character set."""

from __future__ import annotations

import copy
import logging
import uuid
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION

from TotalSegmentatorEngine.export.core.codes import Code
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries
from TotalSegmentatorEngine.export.dicom.text import MAXIMUM_SHORT_STRING, long_string

if TYPE_CHECKING:
    from highdicom.sr import CodedConcept
    from pydicom import Dataset, FileDataset

UTF_8 = "ISO_IR 192"
"""Specific Character Set, PS3.3 C.12.1.1.2."""

_REQUIRED_OF_PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
    "StudyID",
    "AccessionNumber",
)
"""Type 2 of PS3.3 C.7.1.1 and C.7.2.1: there, if empty."""

_OPTIONAL_OF_PATIENT_AND_STUDY = (
    # C.7.1.1 Patient
    "IssuerOfPatientID",
    "IssuerOfPatientIDQualifiersSequence",
    "PatientBirthTime",
    "OtherPatientIDsSequence",
    "OtherPatientNames",
    "EthnicGroup",
    "PatientComments",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "DeidentificationMethodCodeSequence",
    # C.7.1.3, C.7.2.3 Clinical Trial Subject and Study
    "ClinicalTrialSponsorName",
    "ClinicalTrialProtocolID",
    "ClinicalTrialProtocolName",
    "ClinicalTrialSiteID",
    "ClinicalTrialSiteName",
    "ClinicalTrialSubjectID",
    "ClinicalTrialSubjectReadingID",
    "ClinicalTrialTimePointID",
    "ClinicalTrialTimePointDescription",
    # C.7.2.1 General Study, C.7.2.2 Patient Study
    "IssuerOfAccessionNumberSequence",
    "StudyDescription",
    "PhysiciansOfRecord",
    "ProcedureCodeSequence",
    "AdmittingDiagnosesDescription",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    # C.12.1 SOP Common
    "LongitudinalTemporalInformationModified",
)

_log = logging.getLogger(__name__)


def new_object(sop_class_uid: str, transfer_syntax_uid: str, modality: str, moment: datetime) -> FileDataset:
    """A data set with its own SOP Instance UID and the date and the maker of the object; nothing of a patient yet."""
    from pydicom import FileDataset
    from pydicom.dataset import FileMetaDataset

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = transfer_syntax_uid
    meta.MediaStorageSOPClassUID = sop_class_uid
    meta.MediaStorageSOPInstanceUID = new_uid()
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.InstanceCreationDate, dataset.InstanceCreationTime = date_and_time(moment)
    dataset.Modality = modality
    dataset.Manufacturer = ALGORITHM_NAME
    dataset.ManufacturerModelName = ALGORITHM_NAME
    dataset.SoftwareVersions = ENGINE_VERSION
    return dataset


EQUIPMENT = {
    "manufacturer": ALGORITHM_NAME,
    "manufacturer_model_name": ALGORITHM_NAME,
    "software_versions": ENGINE_VERSION,
    "device_serial_number": ENGINE_VERSION,
}
"""Who made an object, as highdicom takes it."""


def new_uid() -> str:
    """A UID made of a random UUID, PS3.5 B.2."""
    return f"2.25.{uuid.uuid4().int}"


def uid_from(text: str) -> str:
    """The same UID for the same text, in all objects: stands for an identifier that the CT itself lacks."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, text).int}"


def date_and_time(moment: datetime) -> tuple[str, str]:
    """DA and TM values."""
    return moment.strftime("%Y%m%d"), moment.strftime("%H%M%S")


# -- patient and study -------------------------------------------------------------------------------------------------


def copy_patient_and_study(source: Dataset, target: Dataset) -> None:
    """Makes ``target`` an object of the patient and study of ``source``, word for word, with its character set.

    An attribute that cannot be read is left out. The Study Instance UID is the caller's to set.
    """
    if source.get("SpecificCharacterSet"):
        target.SpecificCharacterSet = source.SpecificCharacterSet
    for keyword in _REQUIRED_OF_PATIENT_AND_STUDY + _OPTIONAL_OF_PATIENT_AND_STUDY:
        element = _readable(source, keyword)
        if element is not None:
            target.add(element)
        elif keyword in _REQUIRED_OF_PATIENT_AND_STUDY:
            setattr(target, keyword, "")


def _readable(source: Dataset, keyword: str) -> Any:
    """A copy of the data element, None where it is absent or spoilt.

    pydicom decodes an element when it is looked at, and writes one that nobody looked at byte for byte: the items of a
    sequence would keep the source's character set in an object of another one.
    """
    if keyword not in source:
        return None
    try:
        with quiet():
            for item in items_of(source, keyword):
                item.decode()
            return copy.deepcopy(source[keyword])
    except Exception as error:  # noqa: BLE001 - pydicom raises any kind of exception for damaged bytes
        _log.warning("the CT's %s cannot be read (%s) and is left out", keyword, type(error).__name__)
        return None


@contextmanager
def quiet() -> Iterator[None]:
    """pydicom's warnings about values of other makers' files hold these values, which are the patient's."""
    logging.getLogger("pydicom").propagate = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# -- words -------------------------------------------------------------------------------------------------------------


def choose_character_set(dataset: Dataset, words: Iterable[str]) -> None:
    """Keeps the character set of ``dataset`` where it can hold ``words`` too, else turns it to UTF-8.

    The CT's own one is the safest for the patient's name; planning systems know it from the CT.
    """
    stated = dataset.get("SpecificCharacterSet")
    if not all(_fits(word, stated) for word in set(words)):
        dataset.SpecificCharacterSet = UTF_8


def _fits(word: str, character_set: Any) -> bool:
    if word.isascii():
        return True
    if not character_set or character_set == "ISO_IR 6":
        return False
    from pydicom.charset import convert_encodings, encode_string

    logging.getLogger("pydicom").propagate = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # pydicom warns where it would put question marks
        try:
            encode_string(word, convert_encodings(character_set))
        except (UserWarning, ValueError, LookupError):
            return False
    return True


def items_of(dataset: Dataset, keyword: str) -> Sequence[Dataset]:
    """The items of a sequence; none where it is absent or something else."""
    from pydicom import Sequence as Items

    value = dataset.get(keyword)
    return value if isinstance(value, Items) else ()


def stated_code(dataset: Dataset, keyword: str) -> Code | None:
    """The first item of a code sequence; None where it is absent or lacks a part."""
    for item in items_of(dataset, keyword)[:1]:
        value = item.get("CodeValue") or item.get("LongCodeValue")
        parts = [
            str(part or "").strip() for part in (item.get("CodingSchemeDesignator"), value, item.get("CodeMeaning"))
        ]
        return Code(*parts) if all(parts) else None
    return None


def code_item(code: Code) -> Dataset:
    """The item of a code sequence, PS3.3 8.8."""
    from pydicom import Dataset

    item = Dataset()
    if len(code.value) <= MAXIMUM_SHORT_STRING:
        item.CodeValue = code.value
    else:
        item.LongCodeValue = code.value
    item.CodingSchemeDesignator = code.scheme
    item.CodeMeaning = long_string(code.meaning)
    return item


def concept(code: Code) -> CodedConcept:
    """The same item as highdicom wants it."""
    from highdicom.sr.coding import CodedConcept

    return CodedConcept(code.value, code.scheme, long_string(code.meaning))


def study_uid(reference: ReferenceSeries) -> str:
    """The CT's study. A CT that lost this identifier gets one that is the same in all objects made on it."""
    stated = str(reference.dataset.get("StudyInstanceUID") or "")
    return stated or uid_from("study of " + reference.frame_of_reference_uid)


def series_uid(reference: ReferenceSeries) -> str:
    """The CT's series, or what stands for it as in ``study_uid``."""
    stated = str(reference.dataset.get("SeriesInstanceUID") or "")
    return stated or uid_from("series of " + reference.planes[0].sop_instance_uid)


def words_of(rois: Sequence[Roi]) -> Iterator[str]:
    """All text about structures that an object can hold."""
    for roi in rois:
        yield from (roi.name, roi.description, roi.algorithm_name)
        if roi.codes is not None:
            codes = (roi.codes.category, roi.codes.type, roi.codes.modifier, roi.codes.region, roi.codes.fma)
            yield from (code.meaning for code in codes if code is not None)
