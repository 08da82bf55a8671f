"""Hands the CT over to the worker: raw voxels in small steps, then the header that says what they mean."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.disk_space import disk_full, is_disk_full, require_space
from TotalSegmentatorWire.job_folder import CT_HEADER, CT_VOXELS
from TotalSegmentatorWire.messages.segment import CtHeader, header_to_json

from TotalSegmentatorModuleLib.background.raw_file import RawFile
from TotalSegmentatorModuleLib.segment.job_types import CtSource

_SPARE_BYTES = 64 << 20  # beside the CT and its result: events, log, header


@dataclass(frozen=True)
class CtKey:
    """Two CTs with equal keys are the same for the worker, so that the second is not sent."""

    stamp: Hashable
    shape: tuple[int, ...]
    dtype: str
    ijk_to_ras: tuple[float, ...]
    series_instance_uid: str | None
    dicom_files: tuple[str, ...]


def key_of(ct: CtSource) -> CtKey:
    """The key of the CT as it is now."""
    array = ct.array
    return CtKey(
        stamp=ct.change_stamp(),
        shape=tuple(int(size) for size in array.shape),
        dtype=array.dtype.name,
        ijk_to_ras=tuple(float(number) for number in np.asarray(ct.ijk_to_ras, dtype=np.float64).ravel()),
        series_instance_uid=ct.series_instance_uid,
        dicom_files=tuple(ct.dicom_files),
    )


def write_header(folder: Path, ct_id: str, key: CtKey) -> None:
    """Write ct.json into a job's folder. Raises OSError."""
    header = CtHeader(
        ct_id=ct_id,
        shape=list(key.shape),
        dtype=key.dtype,
        ijk_to_ras=list(key.ijk_to_ras),
        series_instance_uid=key.series_instance_uid,
        dicom_files=list(key.dicom_files),
    )
    (folder / CT_HEADER).write_text(header_to_json(header), encoding="utf-8")


class CtTransfer:
    """Writes ct.raw and ct.json into one job's folder; begun again whenever the CT changes meanwhile.

    ``step`` is called until it says True. Between two steps nothing of the CT is kept but its key, because the
    application may replace the voxels.
    """

    def __init__(self, ct: CtSource, folder: Path, ct_id: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._ct = ct
        self._folder = folder
        self.ct_id = ct_id
        self._clock = clock
        self._file: RawFile | None = None
        self._bytes = 0
        self._is_complete = False
        self.key: CtKey | None = None
        """Key of the CT that is written (so far)."""

    @property
    def fraction(self) -> float:
        """0..1 of the voxels written."""
        return self._file.position / self._bytes if self._file is not None and self._bytes else 0.0

    def step(self, seconds: float) -> bool:
        """Write for about ``seconds``; True when voxels and header of the CT as it is now are complete.

        Raises SegmentationError: DISK_FULL, or what the CT raises when it is gone.
        """
        deadline = self._clock() + seconds
        try:
            if self.key is None or self._ct.change_stamp() != self.key.stamp:
                self._begin()
            if not self._is_complete:
                if not self._file.write(self._ct.array, deadline):
                    return False
                self.close()
                write_header(self._folder, self.ct_id, self.key)
                self._is_complete = True
            return True
        except OSError as error:
            self.close()
            if not is_disk_full(error):
                raise
            raise disk_full(self._folder, self._bytes * 1.5 + _SPARE_BYTES) from error

    def close(self) -> None:
        """Let go of the file; what is written stays."""
        if self._file is not None:
            self._file.close()

    def _begin(self) -> None:
        self.close()
        self._is_complete = False
        self.key = key_of(self._ct)
        self._bytes = self._ct.array.nbytes
        voxels = int(np.prod(self.key.shape))
        require_space(self._folder, self._bytes + voxels + _SPARE_BYTES)
        self._file = RawFile(self._folder / CT_VOXELS, self._clock)
