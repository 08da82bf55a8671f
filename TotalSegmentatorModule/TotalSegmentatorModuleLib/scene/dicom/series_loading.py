"""The CT series of Slicer's DICOM database, and loading one of them as a volume."""

from __future__ import annotations

from dataclasses import dataclass

import slicer

from TotalSegmentatorModuleLib.scene.dicom.database import open_database

_PLUGIN = "DICOMScalarVolumePlugin"
"""Slicer's own reader of volumes; others would make sequences or segmentations of the same files."""


@dataclass(frozen=True)
class StoredStudy:
    """A study with CT series."""

    uid: str
    date: str
    """As the database has it."""
    description: str
    series: tuple[StoredSeries, ...]


@dataclass(frozen=True)
class StoredSeries:
    """A CT series of the database."""

    uid: str
    number: str
    description: str
    images: int


def stored_patients() -> list[tuple[str, str]]:
    """The database's own number and the name of each patient, by name; none where no database is open."""
    database = open_database()
    patients = database.patients() if database is not None else ()
    return sorted(((each, database.nameForPatient(each)) for each in patients), key=lambda patient: patient[1])


def studies_with_ct(patient: str) -> list[StoredStudy]:
    """Those of a patient, by the database's own number, newest first."""
    database = open_database()
    found = []
    for study in database.studiesForPatient(patient) if database is not None else ():
        uids = [uid for uid in database.seriesForStudy(study) if database.fieldForSeries("Modality", uid) == "CT"]
        if uids:
            series = tuple(
                StoredSeries(
                    uid,
                    database.fieldForSeries("SeriesNumber", uid),
                    database.descriptionForSeries(uid),
                    len(database.instancesForSeries(uid)),
                )
                for uid in uids
            )
            date = database.fieldForSeries("SeriesDate", uids[0])
            found.append(StoredStudy(study, date, database.descriptionForStudy(study), series))
    return sorted(found, key=lambda study: study.date, reverse=True)


def series_title(series_uid: str) -> str:
    """Number and description, which name no patient; empty where the database does not know the series."""
    database = open_database()
    if database is None or not database.studyForSeries(series_uid):
        return ""
    number, description = database.fieldForSeries("SeriesNumber", series_uid), database.descriptionForSeries(series_uid)
    return ": ".join(part for part in (number, description) if part)


def load_ct_series(series_uid: str):
    """The vtkMRMLScalarVolumeNode of a series of the database, loaded by Slicer's own plugin; None where the database
    lacks it or the plugin cannot read it. Of several volumes in one series, the one with the most slices stays."""
    database = open_database()
    has_plugin = _PLUGIN in getattr(slicer.modules, "dicomPlugins", {})  # made by the DICOM module, which may be off
    if database is None or not has_plugin or not database.filesForSeries(series_uid):
        return None
    from DICOMLib import DICOMUtils  # here: it comes with that module

    node_ids = DICOMUtils.loadSeriesByUID([series_uid], None, None, [_PLUGIN])
    nodes = [slicer.mrmlScene.GetNodeByID(node_id) for node_id in node_ids]
    volumes = [node for node in nodes if node is not None and node.IsA("vtkMRMLScalarVolumeNode")]
    volumes = [volume for volume in volumes if volume.GetImageData() is not None]
    if not volumes:
        return None
    largest = max(volumes, key=lambda volume: volume.GetImageData().GetDimensions()[2])
    for volume in volumes:
        if volume is not largest:
            slicer.mrmlScene.RemoveNode(volume)
    return largest
