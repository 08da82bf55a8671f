"""``log.txt`` of a case: what the engine says of it, without patient data and paths."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from TotalSegmentatorWire.command.log_text import LogFormatter
from TotalSegmentatorWire.identifier_words import IdentifierWords

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.imaging.atomic_file import disk_errors

_OURS = "TotalSegmentator"
"""Our loggers begin so. Those of other libraries may quote what they have read."""
_REPLACEMENT = "<name>"
_IDENTIFIERS = (
    *("PatientName", "PatientID", "OtherPatientIDs", "PatientBirthDate", "PatientAddress", "AccessionNumber"),
    *("StudyID", "StudyDescription", "SeriesDescription", "InstitutionName", "ReferringPhysicianName"),
)
"""Attributes whose words are removed from what an unforeseen error says."""


@contextmanager
def case_log(path: Path, case: Case) -> Iterator[None]:
    """The log of this thread goes to ``path``, too, while the block lasts. Raises SegmentationError:
    OUTPUT_NOT_WRITABLE, DISK_FULL."""
    with disk_errors(path.parent):
        handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(_CaseFormatter(case))
    handler.addFilter(_of_thread(threading.get_ident()))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(min(root.level, logging.INFO) or logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()


def _of_thread(thread: int) -> logging.Filter:
    class OfThread(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            return record.thread == thread and record.name.startswith(_OURS)

    return OfThread()


class _CaseFormatter(LogFormatter):
    """What an unforeseen error says may quote the header or a part of the path: words of both are removed."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self._case = case

    def formatException(self, ei: tuple[type, BaseException, TracebackType]) -> str:
        lines = super().formatException(ei).splitlines()
        words = IdentifierWords([*self._case.path.parts, *self._case.files[:1], *_identifiers(self._case)])
        # the frames of the stack are this program's and its libraries' own
        return "\n".join(line if line.startswith(" ") else words.replaced(line, _REPLACEMENT) for line in lines)


def _identifiers(case: Case) -> list[str]:
    import pydicom

    if not case.files:
        return []
    try:
        header = pydicom.dcmread(
            case.path / case.files[0], stop_before_pixels=True, specific_tags=list(_IDENTIFIERS), force=True
        )
        return [str(header.get(name) or "") for name in _IDENTIFIERS]
    except Exception:  # noqa: BLE001 - pydicom raises any kind of exception for damaged bytes
        return []
