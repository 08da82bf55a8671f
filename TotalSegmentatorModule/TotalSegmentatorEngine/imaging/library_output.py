"""Keeps what libraries print off the terminal: their lines go to the log, each once.

GDCM, libjpeg, OpenJPEG and ITK write to the process's standard error themselves, below Python; pydicom and nibabel use
Python's warnings. Where a decoder meets damaged data, such a line is often all that tells of it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
import threading
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_STANDARD_ERROR = 2
_LONGEST_LINE = 300
_OWN_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z]+ ")
"""How the lines of ``LogFormatter`` begin: another thread may log in the meantime."""
_QUOTED = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|\[[^\]\n]*\]")
"""What a message quotes may be a value of the header, and so a name."""

_log = logging.getLogger(__name__)

_said: list[Counter[str]] = []
"""What was said so far, once for each block that is open."""
_ONE_THREAD = threading.RLock()
"""Standard error belongs to the whole process: threads that read images take turns."""


@contextmanager
def library_lines() -> Iterator[list[str]]:
    """Nothing that a library prints inside the block reaches the terminal; it goes to the log when the block ends.

    Yields the list that holds the lines printed by native code once the block has ended. Python's warnings are logged
    by kind and place only, as their text may quote what was read. Blocks may lie within each other: the innermost one
    gets the lines, the outermost one logs those of all, each once. Blocks of other threads wait for the outermost one.
    """
    with _ONE_THREAD:
        yield from _collected()


def _collected() -> Iterator[list[str]]:
    lines: list[str] = []
    is_outermost = not _said
    said = Counter() if is_outermost else _said[0]
    _said.append(said)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            with _redirected(lines):
                yield lines
        finally:
            _said.pop()
            said.update(_loggable(lines, caught))
            if is_outermost:
                _log_all(said)


@contextmanager
def _redirected(lines: list[str]) -> Iterator[None]:
    """Standard error goes to a file that is read into ``lines``; lines of this program's own log go on as they are."""
    try:
        before = os.dup(_STANDARD_ERROR)
    except OSError:  # a program without a console has none
        yield
        return
    try:
        with tempfile.TemporaryFile() as file:
            _flush()
            os.dup2(file.fileno(), _STANDARD_ERROR)
            try:
                yield
            finally:
                _flush()
                os.dup2(before, _STANDARD_ERROR)
                _sort_out(file, lines)
    finally:
        os.close(before)


def _flush() -> None:
    if sys.stderr is not None and not sys.stderr.closed:
        sys.stderr.flush()


def _sort_out(file: BinaryIO, lines: list[str]) -> None:
    file.seek(0)
    for line in file.read().decode("utf-8", "replace").splitlines():
        if _OWN_LINE.match(line):
            os.write(_STANDARD_ERROR, (line + "\n").encode())
        elif line.strip():
            lines.append(line.strip())


def _loggable(lines: list[str], caught: list[warnings.WarningMessage]) -> Iterator[str]:
    for warning in caught:
        yield f"{warning.category.__name__} in {Path(warning.filename).name}, line {warning.lineno}"
    for line in lines:
        yield _QUOTED.sub("<value>", line)[:_LONGEST_LINE]


def _log_all(said: Counter[str]) -> None:
    for text, count in said.items():
        _log.info("a library says: %s%s", text, f" ({count} times)" if count > 1 else "")
