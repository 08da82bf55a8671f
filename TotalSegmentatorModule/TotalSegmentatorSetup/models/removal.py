"""Removes installed models: one by its name, or all that were downloaded; the user's own only by their names."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.tables.catalogue import catalogue_model, read_catalogue

from TotalSegmentatorSetup.models.records import RECORDS_FILE, ModelRecords
from TotalSegmentatorSetup.support import atomic_folder
from TotalSegmentatorSetup.support.file_lock import FolderLock
from TotalSegmentatorSetup.support.progress import SetupReporter

DOWNLOADS = ".downloads"
_LOCK_SECONDS = 3600.0
_RECORDS = "records"
_RECORDS_LOCK_SECONDS = 30.0
_RECORDS_DRAFT = re.compile(re.escape(RECORDS_FILE) + r"\.\d+")


class ModelRemoval:
    """Removes models from ``models_folder``."""

    def __init__(self, models_folder: Path, reporter: SetupReporter) -> None:
        self._folder = models_folder
        self._reporter = reporter
        self._records = ModelRecords(models_folder)

    def remove(self, name: str, forgets_digest: bool = False) -> list[Problem]:
        """A model of the catalogue by its id, or one of the user's own by its folder's name.

        ``forgets_digest``: an archive that differs from the one that was installed will be taken the next time.
        Returns warnings of what other models lack now.

        Raises SegmentationError: MODEL_UNKNOWN, FILE_LOCKED where a file is in use.
        """
        record = self._records.of(name)
        is_own = record is not None and record.model is None
        before = {model.id for model in read_catalogue().values() if model.is_installed(self._folder)}
        for part in [name] if is_own else [part.name for part in catalogue_model(name).parts]:
            with self._locked(part, _LOCK_SECONDS):
                atomic_folder.clean(self._folder)
                self._discard(part, forgets_digest)
        self._remove_empty_folder()
        return [] if is_own else self._warnings(name, before)

    def _warnings(self, name: str, installed_before: Collection[str]) -> list[Problem]:
        """Of models that had the same files as the removed model ``name``, and of those that need it."""
        catalogue = read_catalogue()
        others = [catalogue[other] for other in catalogue if other in installed_before and other != name]
        left = [other for other in others if other.is_installed(self._folder)]
        gone = [other.id for other in others if other not in left]
        lacking = [other.id for other in left if name in other.needed_models]
        found = (("MODEL_SHARED", gone), ("MODEL_STILL_NEEDED", lacking))
        return [Problem(code, {"model": name, "others": ", ".join(ids)}) for code, ids in found if ids]

    def remove_all(self, own_names: Collection[str] = ()) -> None:
        """Every model of the catalogue that was installed here, their records and downloads.

        Of the user's own models only ``own_names``; the others stay, with their records, and so does what the user has
        put there by hand. The folder goes, too, where it is empty then. Raises SegmentationError: MODEL_UNKNOWN before
        anything is removed, SETUP_BUSY while something is being installed, FILE_LOCKED.
        """
        self.check_own(own_names)
        if not self._folder.is_dir():
            return
        kept = [name for name in self._records.own_names() if name not in own_names]
        for name, record in sorted(self._records.all().items()):
            if name in own_names or record.model is not None:
                with self._locked(name, 0.0):
                    self._discard(name)
        with self._locked(_RECORDS, _RECORDS_LOCK_SECONDS):
            self._records.keep_only(kept)
        shutil.rmtree(self._folder / DOWNLOADS, ignore_errors=True)
        atomic_folder.clean(self._folder)
        self._remove_remains()
        self._remove_empty_folder()

    def check_own(self, names: Collection[str]) -> None:
        """Raises SegmentationError("MODEL_UNKNOWN") for a name that no model of the user's own has."""
        known = self._records.own_names()
        for name in names:
            if name not in known:
                raise SegmentationError("MODEL_UNKNOWN", model=name, nearest=", ".join(known) or "-")

    def _discard(self, name: str, forgets_digest: bool = False) -> None:
        atomic_folder.discard(self._folder / name)
        with self._locked(_RECORDS, _RECORDS_LOCK_SECONDS):
            self._records.mark_removed(name, forgets_digest)

    def _remove_remains(self) -> None:
        """Locks and half-written records of processes that were killed."""
        for lock in self._folder.glob(".*.lock"):
            FolderLock.remove_dead(lock)
        for draft in self._folder.iterdir():
            if _RECORDS_DRAFT.fullmatch(draft.name):
                draft.unlink(missing_ok=True)

    def _remove_empty_folder(self) -> None:
        if self._folder.is_dir() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _locked(self, name: str, wait_seconds: float) -> FolderLock:
        lock = FolderLock(self._folder, name)
        lock.acquire(wait_seconds, self._reporter.check_cancelled)
        return lock
