"""``slicer.dicomDatabase`` over a dictionary of real DICOM files."""

from __future__ import annotations

import logging
import shutil
import uuid
from pathlib import Path
from typing import Any

from PySide6 import QtCore

_SERIES_COLUMNS = (
    "SeriesInstanceUID",
    "StudyInstanceUID",
    "SeriesNumber",
    "SeriesDate",
    "SeriesTime",
    "SeriesDescription",
    "Modality",
    "BodyPartExamined",
    "FrameOfReferenceUID",
)
"""Of the table Series in CTK's dicom-schema.sql, those whose names are DICOM's."""


class ctkDICOMDatabase(QtCore.QObject):  # noqa: N801 - CTK's name
    """Answers the questions that a module asks; ``add_folder`` is how a test fills it.

    Closed, it knows nothing, as CTK's whose SQL queries fail then.
    """

    databaseChanged = QtCore.Signal()
    opened = QtCore.Signal()
    closed = QtCore.Signal()

    def __init__(self, directory: str = "") -> None:
        super().__init__()
        self._directory = directory
        self._is_open = True
        self._files: dict[str, Path] = {}
        self._series: dict[str, list[str]] = {}
        self._fields: dict[str, dict[str, str]] = {}
        self._studies: dict[str, str] = {}
        self._descriptions: dict[str, str] = {}
        self._patients: dict[tuple[str, ...], str] = {}

    def openDatabase(self, database_file: str, connection_name: str = "") -> bool:
        self._is_open = True
        self.opened.emit()
        return True

    def closeDatabase(self) -> None:
        was_open, self._is_open = self._is_open, False
        if was_open:
            self.closed.emit()

    def add_folder(self, folder: Path) -> list[Path]:
        """Index every DICOM file of a folder; returns the files in the order of their names."""
        return self.add_files([path for path in sorted(folder.iterdir()) if path.is_file()])

    def add_files(self, paths: list[Path]) -> list[Path]:
        """Index those of the files that are DICOM; returns them."""
        added = []
        for path in paths:
            header = _header(path)
            if header is None or not all(
                header.get(key) for key in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID")
            ):
                continue  # CTK's database refuses files without their identifiers, too
            self._files[str(header.SOPInstanceUID)] = path
            instances = self._series.setdefault(str(header.SeriesInstanceUID), [])
            if str(header.SOPInstanceUID) not in instances:
                instances.append(str(header.SOPInstanceUID))
            self._add_fields(header)
            added.append(path)
        self.databaseChanged.emit()
        return added

    def _add_fields(self, header: Any) -> None:
        patient = tuple(str(header.get(key) or "") for key in ("PatientID", "PatientName", "PatientBirthDate"))
        number = self._patients.setdefault(patient, str(len(self._patients) + 1))
        self._studies.setdefault(str(header.StudyInstanceUID), number)
        self._descriptions.setdefault(str(header.StudyInstanceUID), str(header.get("StudyDescription") or ""))
        fields = {column: str(header.get(column) or "") for column in _SERIES_COLUMNS}
        date = fields["SeriesDate"]  # a QDate, which SQLite keeps as text of ISO 8601
        fields["SeriesDate"] = f"{date[:4]}-{date[4:6]}-{date[6:]}" if len(date) == 8 else ""
        self._fields.setdefault(str(header.SeriesInstanceUID), fields)

    def nameForPatient(self, patient: str) -> str:
        return next((key[1] for key, number in self._patients.items() if number == patient), "")

    def descriptionForStudy(self, study: str) -> str:
        return self._descriptions.get(study, "") if self._is_open else ""

    def patients(self) -> list[str]:
        return list(self._patients.values()) if self._is_open else []

    def studiesForPatient(self, patient: str) -> list[str]:
        return [study for study, number in self._studies.items() if number == patient] if self._is_open else []

    def seriesForStudy(self, study: str) -> list[str]:
        return [series for series in self._fields if self.studyForSeries(series) == study]

    def studyForSeries(self, series: str) -> str:
        return self.fieldForSeries("StudyInstanceUID", series)

    def patientForStudy(self, study: str) -> str:
        return self._studies.get(study, "") if self._is_open else ""

    def descriptionForSeries(self, series: str) -> str:
        return self.fieldForSeries("SeriesDescription", series)

    def fieldForSeries(self, field: str, series: str) -> str:
        """``field`` is a column of CTK's table Series; another one is an error in the log and an empty text."""
        if field not in _SERIES_COLUMNS:
            logging.error("SQL failed: no such column: %s", field)
            return ""
        return self._fields.get(series, {}).get(field, "") if self._is_open else ""

    def fileForInstance(self, uid: str) -> str:
        return str(self._files[uid]) if uid in self._files and self._is_open else ""

    def filesForSeries(self, uid: str, hits: int = -1) -> list[str]:
        return [str(self._files[instance]) for instance in self.instancesForSeries(uid, hits)]

    def instancesForSeries(self, uid: str, hits: int = -1) -> list[str]:
        instances = self._series.get(uid, []) if self._is_open else []
        return instances[:hits] if hits > 0 else list(instances)

    def instanceForFile(self, path: str) -> str:
        return next((uid for uid, known in self._files.items() if str(known) == str(path)), "")

    def seriesForFile(self, path: str) -> str:
        return self.fileValue(path, "0020,000e")

    def instanceValue(self, uid: str, tag: str) -> str:
        return self.fileValue(str(self._files[uid]), tag) if uid in self._files else ""

    def fileValue(self, path: str, tag: str) -> str:
        """Text of one element, several values joined by backslashes; empty when absent. ``tag`` is "0020,0032"."""
        import pydicom

        group, element = (int(part, 16) for part in str(tag).split(","))
        header = _header(Path(path))
        found = header.get((group, element)) if header is not None else None
        if found is None or found.value is None:
            return ""
        value = found.value
        several = isinstance(value, (list, tuple, pydicom.multival.MultiValue))
        return "\\".join(str(item) for item in value) if several else str(value)

    isOpen = QtCore.Property(bool, lambda self: self._is_open)
    databaseDirectory = QtCore.Property(str, lambda self: self._directory)


def _header(path: Path) -> Any:
    """None for a file that is no DICOM."""
    import pydicom

    try:
        return pydicom.dcmread(path, stop_before_pixels=True)
    except pydicom.errors.InvalidDicomError:
        return None


class ctkDICOMIndexer(QtCore.QObject):  # noqa: N801 - CTK's name
    """Adds files to a database: one at a turn of the event loop, where CTK's has a thread of its own.

    Like CTK's, it returns at once with ``backgroundImportEnabled`` only; otherwise it runs an event loop of its own
    until all is done.
    """

    indexingComplete = QtCore.Signal(int, int, int, int)

    def __init__(self) -> None:
        super().__init__()
        self._is_background = False
        self._database: ctkDICOMDatabase | None = None
        self._waiting: list[tuple[Path, bool]] = []
        self._added = 0
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._add_next)

    def addListOfFiles(self, database: ctkDICOMDatabase, files: list[str], copyFile: bool = False) -> None:
        """With ``copyFile`` the database keeps copies of its own."""
        self._database, self._added = database, 0
        self._waiting += [(Path(file), copyFile) for file in files]
        self._timer.start(0)
        if not self._is_background:
            self.waitForImportFinished()

    def waitForImportFinished(self, msecTimeout: int = -1) -> None:
        if self._timer.isActive():
            loop = QtCore.QEventLoop()
            self.indexingComplete.connect(loop.quit)
            if msecTimeout >= 0:
                QtCore.QTimer.singleShot(msecTimeout, loop.quit)
            loop.exec()

    def cancel(self) -> None:
        """Files that are in the database stay there."""
        self._waiting.clear()

    def _add_next(self) -> None:
        if not self._waiting:
            self._timer.stop()
            self.indexingComplete.emit(0, 0, 0, self._added)
            return
        path, is_copied = self._waiting.pop(0)
        if is_copied and _header(path) is not None:
            folder = Path(self._database.property("databaseDirectory")) / "dicom"
            folder.mkdir(parents=True, exist_ok=True)
            path = Path(shutil.copy(path, folder / f"{uuid.uuid4().hex}.dcm"))
        self._added += len(self._database.add_files([path]))

    def _set_background(self, is_background: bool) -> None:
        self._is_background = is_background

    backgroundImportEnabled = QtCore.Property(bool, lambda self: self._is_background, _set_background)
    importing = QtCore.Property(bool, lambda self: self._timer.isActive())
