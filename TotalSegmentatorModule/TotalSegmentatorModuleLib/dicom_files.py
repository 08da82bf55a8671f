"""Finds the DICOM files of a volume in Slicer's database, a little at a time.

A series of a thousand slices takes a thousand queries; the user interface must not wait for them.
"""

from __future__ import annotations

import time

import slicer


class DicomFileSearch:
    """Looks up the files of a vtkMRMLScalarVolumeNode; call ``step`` until ``finished``, then read ``files``.

    Without a database, or for a volume that was not loaded from DICOM, it is finished at once.
    """

    def __init__(self, volume, clock=time.perf_counter) -> None:
        self._clock = clock
        self._database = _open_database()
        uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
        self._waiting = list(reversed(uids)) if self._database is not None else []
        self.files: list[str] = []

    @property
    def finished(self) -> bool:
        return not self._waiting

    def step(self, seconds: float = 0.015) -> None:
        """Look up files for about ``seconds``, at least one."""
        until = self._clock() + seconds
        while self._waiting:
            path = self._database.fileForInstance(self._waiting.pop())
            if path and path not in self.files[-1:]:
                self.files.append(path)
            if self._clock() >= until:
                return


def _open_database():
    """Slicer's DICOM database, None where there is none (the DICOM module is switched off, or nothing was imported)."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None
