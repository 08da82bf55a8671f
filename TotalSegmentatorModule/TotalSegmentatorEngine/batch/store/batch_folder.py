"""The output folder of a run, which is the only truth about what is done.

::

    <output>/<12 hexadecimal digits>/   done.json, segmentation.seg.nrrd, log.txt, exports; claim.json while it is made
    <output>/private/                   inputs.csv, image_kinds.csv, summarized.txt, and the claims under which they and
                                        the tables are written

A case is made in a draft folder within its own. When it is complete its files are moved up, ``done.json`` last: there
is no moment at which a kill would leave a record that does not fit to the files.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.batch.store.claims import (
    Claim,
    claim,
    deaths_at,
    file_system_time,
    sweep_claims,
    try_claim,
)
from TotalSegmentatorEngine.batch.store.edited_segmentation import keep_if_edited
from TotalSegmentatorEngine.batch.store.outcome import Outcome, from_json, is_newer, to_json
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, disk_errors
from TotalSegmentatorEngine.imaging.durable_file import sync_file

RECORD = "done.json"
SEGMENTATION = "segmentation.seg.nrrd"
LOG = "log.txt"
THUMBNAIL = "thumbnail.jpg"
EXPORTS = {"rtstruct": "rs.dcm", "seg": "seg.dcm", "sr": "sr.dcm", "volumes": "volumes.csv", "review": "review.html"}
"""The formats that a run can write, and their file names; in the order in which they are written, so that a measurement
report refers to the SEG beside it."""
PRIVATE = "private"
CASE_NAME = re.compile(r"^[0-9a-f]{12}$")
SUPERSEDED = "superseded"
"""An empty file in the folder of a case whose input has another content now."""

_CLAIM = "claim.json"
_RESULTS = (SEGMENTATION, LOG, THUMBNAIL, SUPERSEDED, *EXPORTS.values(), "sr.seg.dcm")
"""What a run writes beside the record; the last for a measurement report without a SEG. All else is somebody's own."""
_DRAFT = re.compile(r"^\.[0-9a-f]{16}\.(draft|part)$")
_PRIVATE_MODE = 0o700


class BatchFolder:
    """``path`` need not exist before ``create``."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def create(self) -> None:
        """The folder and its private one, readable by this user only. A folder that others filled keeps its mode, not
        so the private one, unless it is another user's.

        Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
        """
        with disk_errors(self.path):
            self.path.mkdir(mode=_PRIVATE_MODE, parents=True, exist_ok=True)
            if not any(self.path.iterdir()):
                self.path.chmod(_PRIVATE_MODE)
            _make_private(self.private)
            _close(self.private)
        sweep_claims(self.private)
        for case_id in self.case_ids():
            self._tidy(case_id)

    @property
    def private(self) -> Path:
        return self.path / PRIVATE

    def case_folder(self, case_id: str) -> Path:
        return self.path / case_id

    @contextmanager
    def claim(self, name: str) -> Iterator[Claim]:
        """One process at a time is inside the block: it alone writes into the private folder ("inputs"), or the files
        over all cases ("tables"). Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
        with claim(self.private / f"{name}.claim") as held:
            _sweep(self.private if name == "inputs" else self.path)
            yield held

    # -- what is done --------------------------------------------------------------------------------------------------

    def outcome(self, case_id: str) -> Outcome | None:
        """None for a case that is not done, and where its record is damaged. Raises
        SegmentationError("BATCH_RECORD_DAMAGED") where a newer version wrote it, which must not be overwritten."""
        try:
            fields = json.loads((self.case_folder(case_id) / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        try:
            return from_json(fields)
        except SegmentationError:
            if is_newer(fields):
                raise
            return None

    def recorded_at(self, case_id: str) -> float:
        """When its record was written, by the clock of the file system; 0 without one."""
        try:
            return (self.case_folder(case_id) / RECORD).stat().st_mtime
        except OSError:
            return 0.0

    def now(self) -> float:
        """By the same clock. Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL."""
        with disk_errors(self.private):
            return file_system_time(self.private)

    def outcomes(self) -> Iterator[Outcome]:
        """All cases with a record, in the order of their ids; not those whose input has another content now. Raises
        as ``outcome`` does."""
        for case_id in self.case_ids():
            if not (self.case_folder(case_id) / SUPERSEDED).exists():
                outcome = self.outcome(case_id)
                if outcome is not None:
                    yield outcome

    def case_ids(self) -> list[str]:
        """Of all folders of cases, done or not."""
        try:
            return sorted(entry.name for entry in os.scandir(self.path) if CASE_NAME.match(entry.name))
        except OSError:
            return []

    # -- a case in the making ------------------------------------------------------------------------------------------

    def claim_case(self, case_id: str) -> Claim | None:
        """The right to make a case; None where a living process has it. What a dead one has left is removed.

        Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL.
        """
        folder = self.case_folder(case_id)
        with disk_errors(self.path):
            _make_private(folder)
        held = try_claim(folder / _CLAIM)
        if held is not None:
            _sweep(folder)
        return held

    def _tidy(self, case_id: str) -> None:
        """A process that was killed after its record was written has left its claim. A claim that is younger than the
        record is that of a process that did the case again, and may have died over it."""
        folder = self.case_folder(case_id)
        sweep_claims(folder)
        try:
            is_left = (folder / _CLAIM).stat().st_mtime <= self.recorded_at(case_id)
        except OSError:
            is_left = False
        if is_left:
            held = self.claim_case(case_id)
            if held is not None:
                held.release()

    def deaths(self, case_id: str) -> int:
        """How many processes have ended while they made this case."""
        return deaths_at(self.case_folder(case_id) / _CLAIM)

    def draft(self, case_id: str) -> Path:
        """A new folder for the files of a case, within its own. Raises as ``claim_case`` does."""
        path = self.case_folder(case_id) / f".{secrets.token_hex(8)}.draft"
        with disk_errors(self.path):
            path.mkdir(mode=_PRIVATE_MODE)
        return path

    def keep_edited(self, case_id: str, draft: Path, held: Claim) -> bool:
        """Whether somebody has edited the segmentation of an earlier run, which is then kept under another name. For
        a case that is complete in ``draft``. Raises as ``finish`` does."""
        folder, earlier = self.case_folder(case_id), self.outcome(case_id)
        with disk_errors(folder):
            held.check()
            written = "" if earlier is None else earlier.segmentation_digest
            return keep_if_edited(folder / SEGMENTATION, written, draft)

    def finish(self, outcome: Outcome, draft: Path, held: Claim) -> None:
        """Puts the files of ``draft`` in the place of those of an earlier run, then writes the record. What somebody
        else has put there stays.

        Raises SegmentationError: BATCH_CLAIM_LOST, OUTPUT_NOT_WRITABLE, DISK_FULL.
        """
        folder = self.case_folder(outcome.id)
        with disk_errors(folder):
            held.check()  # who takes a case over removes the draft
            files = sorted(entry for entry in draft.iterdir() if entry.is_file())
            for file in files:
                sync_file(file)
            held.check()
            _remove_results(folder)
            for file in files:
                file.replace(folder / file.name)
            shutil.rmtree(draft, ignore_errors=True)
        text = json.dumps(to_json(outcome), indent=1, ensure_ascii=False).encode("utf-8")
        with atomic_file(folder / RECORD, len(text)) as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())


def _sweep(folder: Path) -> None:
    """Removes what a killed process has left in a folder. The claim under which it is written must be held."""
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            if _DRAFT.match(entry.name):
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink(missing_ok=True)


def _remove_results(folder: Path) -> None:
    """The record goes first: what is left after a kill is then no case that counts as done."""
    (folder / RECORD).unlink(missing_ok=True)
    for name in _RESULTS:
        (folder / name).unlink(missing_ok=True)


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=_PRIVATE_MODE, exist_ok=True)


def _close(folder: Path) -> None:
    """To others; only its owner can. On Windows the mode says nothing about who may read."""
    if os.name == "posix" and folder.stat().st_uid == os.geteuid():
        folder.chmod(_PRIVATE_MODE)
