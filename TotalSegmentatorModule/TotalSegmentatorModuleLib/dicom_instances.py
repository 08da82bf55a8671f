"""The DICOM instances from which a volume was loaded, with the files that are really there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.errors import SegmentationError

from .dicom_files import DicomFileSearch


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
