"""Where an export is put: complete and under a name that was free, or not at all.

The program writes into a hidden folder beside the place; only what it has finished is renamed into that place. So
neither a cancelled nor a killed export leaves anything there, and nothing that is there is ever replaced.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.job_folder import new_id, remove_folder

_DRAFT_PREFIX = ".totalsegmentator-export-"
_DRAFT = re.compile(re.escape(_DRAFT_PREFIX) + "[0-9a-f]{32}")
_ABANDONED_SECONDS = 86400.0
"""A draft of an application that crashed; no export takes so long."""
_LONGEST_NAME = 60
_NOT_IN_NAMES = re.compile(r"[^\w\-. ()+]+")
"""Signs that one of the systems, or a planning system's importer, does not take in names of files."""

_CLOCK = re.compile(r"(?<=\d):(?=\d)")
_PLAINER = str.maketrans({"\u2013": "-", ",": None})
"""Of the signs in the names of results, those that have a plain counterpart."""


def file_name(text: str) -> str:
    """``text`` as the name of a file, without a suffix."""
    plain = _NOT_IN_NAMES.sub("_", _CLOCK.sub(".", text.translate(_PLAINER))).strip(" ._")
    if len(plain) > _LONGEST_NAME:
        plain = plain[:_LONGEST_NAME].rstrip(" .-")  # the cut may leave the dash before the time of day
    return plain.strip(" .") or "segmentation"


def free_name(folder: Path, name: str) -> str:
    """``name``, numbered where something in ``folder`` has it already, with whatever suffix."""
    taken = {entry.name.casefold() for entry in folder.iterdir()} if folder.is_dir() else set()
    number, candidate = 1, name
    while any(_has_name(entry, candidate.casefold()) for entry in taken):
        number += 1
        candidate = "{} {}".format(name, number)
    return candidate


def _has_name(entry: str, name: str) -> bool:
    """Whether ``entry`` is ``name`` with or without a suffix."""
    return entry == name or entry.startswith(name + ".")


class ExportDestination:
    """A draft below ``folder`` that becomes the export. Raises SegmentationError("OUTPUT_NOT_WRITABLE") when made."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._draft = folder / (_DRAFT_PREFIX + new_id())
        try:
            _remove_abandoned(folder)
            self._draft.mkdir(parents=True)
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error

    def output(self, suffix: str) -> Path:
        """The path for the program to write: a file with this suffix, or a folder if it is empty."""
        return self._draft / (self._name + suffix)

    def publish(self) -> list[Path]:
        """Move the output to its final place, under a free name; returns its path.

        Raises SegmentationError("OUTPUT_NOT_WRITABLE").
        """
        try:
            name = free_name(self._folder, self._name)
            entries = sorted(self._draft.iterdir())
            return [entry.rename(self._folder / (name + entry.name.removeprefix(self._name))) for entry in entries]
        except OSError as error:
            raise SegmentationError("OUTPUT_NOT_WRITABLE") from error

    def discard(self) -> None:
        """Remove what was not published."""
        remove_folder(self._draft)


def _remove_abandoned(folder: Path) -> None:
    for draft in folder.glob(_DRAFT_PREFIX + "*"):
        if _DRAFT.fullmatch(draft.name) and time.time() - draft.stat().st_mtime > _ABANDONED_SECONDS:
            remove_folder(draft)
