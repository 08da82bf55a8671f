"""The RT Structure Sets and DICOM Segmentations of a CT's patient in Slicer's DICOM database.

They are looked up and read from their files without Slicer's extensions for them, which need not be installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorModuleLib.scene.dicom.database import open_database
from TotalSegmentatorModuleLib.scene.volumes import series_instance_uid

RTSTRUCT, SEG = "RTSTRUCT", "SEG"
"""Their modalities, PS3.3 C.7.3.1.1.1."""
_STRUCTURE_SET_LABEL = "3006,0002"
_SERIES_INSTANCE_UID = "0020,000e"

_SEARCHED_BYTES = 1 << 20
"""Elements are sorted by their tags, so references to images stand before contours and pixels. Those to a thousand
slices take about 0.1 MB."""


@dataclass(frozen=True)
class StoredStructures:
    """One object of the database."""

    path: Path
    modality: str
    """RTSTRUCT or SEG."""
    description: str
    """What somebody called it; may be empty."""
    date: str
    """Of its series, like "2024-05-01"; may be empty."""
    names_ct: bool
    """Whether it says that it was made on the CT's series."""


def ct_series(ct) -> str:
    """Series Instance UID of the CT (vtkMRMLScalarVolumeNode) if Slicer's database has it, else empty."""
    database = open_database()
    uids = (ct.GetAttribute("DICOM.instanceUIDs") or "").split()
    if database is None or not uids:
        return ""
    series = series_instance_uid(ct) or database.instanceValue(uids[0], _SERIES_INSTANCE_UID)
    return series if database.studyForSeries(series) else ""


def stored_structures(ct) -> list[StoredStructures]:
    """Those of the CT's patient: first those that name the CT, then those of its study, newer ones before older."""
    series = ct_series(ct)
    if not series:
        return []
    database = open_database()
    ct_study = database.studyForSeries(series)
    found = []
    for study in database.studiesForPatient(database.patientForStudy(ct_study)):
        for each in database.seriesForStudy(study):
            found += [(study == ct_study, stored) for stored in _stored(database, each, series)]
    found.sort(key=lambda item: (item[1].date, item[1].description), reverse=True)
    found.sort(key=lambda item: (not item[1].names_ct, not item[0]))
    return [stored for _is_same_study, stored in found]


def _stored(database, series: str, ct_series_uid: str) -> list[StoredStructures]:
    """The objects of ``series``, whose files are there; none if it is no series of structures."""
    modality = database.fieldForSeries("Modality", series)
    if modality not in (RTSTRUCT, SEG):
        return []
    instances = database.instancesForSeries(series)
    objects = []
    for uid in instances:
        path = Path(database.fileForInstance(uid))
        if not path.is_file():
            continue
        description = database.descriptionForSeries(series)
        if modality == RTSTRUCT and (not description or len(instances) > 1):
            description = database.instanceValue(uid, _STRUCTURE_SET_LABEL) or description
        date = database.fieldForSeries("SeriesDate", series)
        objects.append(StoredStructures(path, modality, description.strip(), date, names_series(path, ct_series_uid)))
    return objects


def names_series(path: Path, series: str) -> bool:
    """Whether the DICOM file refers to the series with this UID; False where it cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(_SEARCHED_BYTES)
    except OSError:
        return False
    return re.search(rb"(?<![0-9.])" + re.escape(series.encode()) + rb"(?![0-9.])", head) is not None
