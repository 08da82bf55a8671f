"""What may stand in a log: everything that helps to find a fault, nothing that names a patient.

Messages of other libraries quote file paths, and a path often holds a patient's name; DICOM UIDs identify a study.
Both are replaced before a line is written. The stack of calls is kept whole.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

_UID = re.compile(r"\d+(?:\.\d+){5,}")
_QUOTED_PATH = re.compile(r"(['\"])[^'\"\n]*[/\\][^'\"\n]*\1")
_BARE_PATH = re.compile(r"(?:[A-Za-z]:[/\\]|\\\\|~/|(?<![\w/])/(?=\S))[^\n]*")


def without_names(text: str) -> str:
    """``text`` with every path and every DICOM UID replaced. An unquoted path is cut to the end of its line, because
    a path may hold blanks."""
    text = _QUOTED_PATH.sub("<path>", text)
    text = _BARE_PATH.sub("<path>", text)
    return _UID.sub("<uid>", text)


def describe_exception(error: BaseException) -> str:
    """The traceback of ``error`` and of what caused it, oldest first, its messages without names."""
    parts: list[str] = []
    current: BaseException | None = error
    while current is not None:
        frames = "".join(traceback.format_tb(current.__traceback__))
        message = without_names(str(current))
        parts.append(f"Traceback (most recent call last):\n{frames}{type(current).__name__}: {message}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\n\nwhich led to:\n\n".join(reversed(parts))


class LogFormatter(logging.Formatter):
    """One line a record, with the time; messages and tracebacks without names."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        # another handler may have left its own text of the traceback on the record, names and all
        kept, record.exc_text = record.exc_text, None
        try:
            return super().format(record)
        finally:
            record.exc_text = kept

    def formatException(self, ei: tuple[type, BaseException, TracebackType]) -> str:
        return describe_exception(ei[1])

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = without_names(record.message)
        return super().formatMessage(record)


def log_to_standard_error() -> None:
    """Send all records of ``logging``, and the place of each Python warning, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)  # its messages quote values of the header
    warnings.showwarning = _new_warnings_log()


@contextmanager
def warnings_to_log() -> Iterator[None]:
    """Python's warnings go to the log inside the block, none to the terminal."""
    with warnings.catch_warnings():
        warnings.showwarning = _new_warnings_log()
        yield


def _new_warnings_log() -> Callable[..., None]:
    """Logs each warning once, and only its kind and place: its text may quote what was read."""
    seen: set[tuple[type[Warning], str, int]] = set()

    def log_once(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: object = None,
        line: object = None,
    ) -> None:
        place = (category, filename, lineno)
        if place not in seen:
            seen.add(place)
            name = filename.replace("\\", "/").rpartition("/")[2]
            logging.getLogger(__name__).info("%s in %s, line %d", category.__name__, name, lineno)

    return log_once
