"""The DICOM instances from which a volume was loaded, with the files that are really there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.scene.dicom.database import open_database


class InstanceSearch:
    """Looks up the instances of a vtkMRMLScalarVolumeNode; call ``step`` until ``finished``.

    A volume that did not come from DICOM has no ``uids``.
    """

    def __init__(self, volume, clock: Callable[[], float] = time.perf_counter) -> None:
        self.uids = tuple((volume.GetAttribute("DICOM.instanceUIDs") or "").split())
        self.files: list[str] = []
        self._clock = clock
        self._search = DicomFileSearch(volume, clock)
        self._unchecked: list[str] | None = None

    @property
    def finished(self) -> bool:
        return self._unchecked is not None and not self._unchecked

    @property
    def missing(self) -> int:
        """Instances without a file; 0 for a volume that did not come from DICOM."""
        return len(self.uids) - len(self.files)

    def step(self, seconds: float = 0.015) -> None:
        """Look for about ``seconds``; a file on another computer may take longer."""
        until = self._clock() + seconds
        if self._unchecked is None:
            self._search.step(seconds)
            if not self._search.finished:
                return
            self._unchecked = list(reversed(self._search.files))
        while self._unchecked:
            path = self._unchecked.pop()
            if Path(path).is_file():
                self.files.append(path)
            if self._clock() >= until:
                return


def require_all_files(search: InstanceSearch) -> None:
    """Raises SegmentationError("EXPORT_FILES_MISSING") where a volume from DICOM has lost files."""
    if search.missing:
        raise SegmentationError("EXPORT_FILES_MISSING", count=search.missing)


class DicomFileSearch:
    """Looks up the files of a vtkMRMLScalarVolumeNode; call ``step`` until ``finished``, then read ``files``.

    Without a database, or for a volume that was not loaded from DICOM, it is finished at once.
    """

    def __init__(self, volume, clock=time.perf_counter) -> None:
        self._clock = clock
        self._database = open_database()
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
