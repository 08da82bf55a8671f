"""Keeps a result that could not be written where it was to go: it may have taken an hour to compute."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.job.reporting import JobReporter

_SUFFIX = ".seg.nrrd"
_log = logging.getLogger(__name__)


def keep_result(output: Path, write: Callable[[Path, bool], None], reporter: JobReporter) -> None:
    """Has ``write`` save the labels next to ``output`` or, where that fails, in the folder for temporary files or the
    user's home folder; a warning says where, or that it failed everywhere.

    ``write`` gets the path, and whether the disk must have room for the uncompressed labels; at last it need not.
    """
    stem = next((output.name[: -len(end)] for end in (_SUFFIX, ".nii.gz") if output.name.endswith(end)), output.stem)
    places = (
        ("EXPORT_RESULT_KEPT", lambda: output.parent),
        ("RESULT_KEPT_TEMPORARY", _private_folder),
        ("RESULT_KEPT_HOME", Path.home),
    )
    for checks_room in (True, False):
        for code, folder_of in places:
            path = _kept_in(folder_of, stem, lambda path, checks=checks_room: write(path, checks))
            if path is not None:
                reporter.warning(Problem(code, {"file": path.name}))
                reporter.note(f"Saved: {path.absolute()}")
                return
    reporter.warning(Problem("RESULT_NOT_KEPT"))


def _kept_in(folder_of: Callable[[], Path], stem: str, write: Callable[[Path], None]) -> Path | None:
    """The file; None where it could not be written there."""
    folder = None
    try:
        folder = folder_of()
        numbers = ("" if number == 0 else f"-{number}" for number in range(1000))
        free = (folder / f"{stem}{number}{_SUFFIX}" for number in numbers)
        path = next(path for path in free if not path.exists())
        write(path)
        return path
    except Exception as error:  # noqa: BLE001 - the reason that is reported is that of the first failure
        _log.info("the result could not be kept in one of the folders: %s", type(error).__name__)
        if folder is not None and folder_of is _private_folder:
            shutil.rmtree(folder, ignore_errors=True)
        return None


def _private_folder() -> Path:
    """Of this user alone, in the folder for temporary files, which everybody can read."""
    return Path(tempfile.mkdtemp(prefix="totalsegmentator-"))
