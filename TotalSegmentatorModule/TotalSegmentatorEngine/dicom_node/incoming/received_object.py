"""One received object: what its header says of where it belongs."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

CT_CLASSES = (
    "1.2.840.10008.5.1.4.1.1.2",
    "1.2.840.10008.5.1.4.1.1.2.1",
    "1.2.840.10008.5.1.4.1.1.2.2",
)
"""CT, Enhanced CT and Legacy Converted Enhanced CT Image Storage, PS3.6 table A-1."""

_UID = re.compile(r"[0-9]+(\.[0-9]+)+")
_LONGEST_UID = 64
"""PS3.5 9.1."""
_ID_DIGITS = 12


class NotUsableError(Exception):
    """The object cannot be read, or lacks what tells where it belongs."""


@dataclass(frozen=True)
class ObjectHeader:
    sop_class: str
    sop_uid: str
    series_uid: str

    @property
    def is_ct(self) -> bool:
        return self.sop_class in CT_CLASSES

    @property
    def series_id(self) -> str:
        """Stands for the series in names and logs, which hold no UID."""
        return hashlib.sha256(self.series_uid.encode("ascii")).hexdigest()[:_ID_DIGITS]

    @property
    def file_name(self) -> str:
        """The same for each copy of the object."""
        return hashlib.sha256(self.sop_uid.encode("ascii")).hexdigest()[:32] + ".dcm"


def read_object_header(path: Path) -> ObjectHeader:
    """Raises NotUsableError."""
    import pydicom

    from TotalSegmentatorEngine.export.dicom.object import quiet

    try:
        with quiet():
            dataset = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=["SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID"]
            )
            found = [str(dataset.get(name) or "") for name in ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")]
    except Exception as error:
        raise NotUsableError("its header is damaged") from error
    if not all(_UID.fullmatch(uid) and len(uid) <= _LONGEST_UID for uid in found):
        raise NotUsableError("it lacks a UID")
    return ObjectHeader(*found)
