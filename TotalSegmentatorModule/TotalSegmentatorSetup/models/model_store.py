"""The installed models: downloads, archives, checks, records and removal.

A part is complete or it is not there: it is unpacked, checked and converted in a draft, which then gets its name.
Drafts of killed processes are removed by the next installation; what they had downloaded is used.
"""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from TotalSegmentatorWire.disk_space import require_space
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.setup import SetupStep
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, ModelPart, catalogue_model, read_catalogue
from TotalSegmentatorWire.tables.voxel_orders import CANONICAL

from TotalSegmentatorSetup.models.archives import unpack
from TotalSegmentatorSetup.models.orientation import settle_order, store_order
from TotalSegmentatorSetup.models.records import ModelRecords, PartRecord
from TotalSegmentatorSetup.models.removal import DOWNLOADS, ModelRemoval
from TotalSegmentatorSetup.models.sources import ModelSource, copy_model, find_source, own_name, published_part
from TotalSegmentatorSetup.models.state import ModelState
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.network.downloads import Downloaded, RemoteFile, digest_of, download, forget_download
from TotalSegmentatorSetup.packages.engine_program import EngineProgram
from TotalSegmentatorSetup.support import atomic_folder
from TotalSegmentatorSetup.support.file_lock import FolderLock
from TotalSegmentatorSetup.support.folders import folder_bytes, require_writable
from TotalSegmentatorSetup.support.progress import SetupReporter, SetupTask

USUAL_ARCHIVE_BYTES = 240_000_000
"""Of an archive whose publisher states no size; the later families' are 135 and 234 MB (models.json)."""
_UNPACKED_PER_BYTE = 2.2
"""Weights with and without the optimiser's state lie beside each other for a moment."""
_LARGEST_MODEL_BYTES = 6_000_000_000
_LOCK_SECONDS = 3600.0
_RECORDS_LOCK_SECONDS = 30.0
_PURPOSE = "the models"


class ModelStore:
    """The models in ``models_folder``. ``engine`` checks and converts them; without it nothing can be installed.

    ``bundle_folder`` holds archives under their parts' names, which are taken in place of the network.
    """

    def __init__(
        self,
        models_folder: Path,
        network: NetworkSettings,
        reporter: SetupReporter,
        engine: EngineProgram | None,
        bundle_folder: Path | None = None,
        fetch: Callable[[RemoteFile, Path, NetworkSettings, SetupReporter], Downloaded] = download,
    ) -> None:
        self._folder = models_folder
        self._network = network
        self._reporter = reporter
        self._engine = engine
        self._bundle = bundle_folder
        self._fetch = fetch
        self._records = ModelRecords(models_folder)
        self._removal = ModelRemoval(models_folder, reporter)

    # -- what is there -------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The models folder."""
        return self._folder

    def states(self) -> list[ModelState]:
        """Every model of the catalogue."""
        records = self._records.all()
        return [self._state(model, records) for model in read_catalogue().values()]

    def own_models(self) -> dict[str, int]:
        """The user's own models that were added here: names of their folders, and their bytes on the disk."""
        return {name: folder_bytes(self._folder / name) for name in self._records.own_names()}

    def _state(self, model: CatalogueModel, records: dict[str, PartRecord]) -> ModelState:
        missing = [part for part in model.parts if not self._has(part)]
        sizes = [part.bytes for part in missing]
        return ModelState(
            model=model,
            is_installed=model.is_installed(self._folder),
            disk_bytes=sum(folder_bytes(self._folder / part.name) for part in model.parts if self._has(part)),
            download_bytes=None if None in sizes else sum(sizes),
            digests={
                part.name: part.sha256 or (records[part.name].archive_sha256 if part.name in records else None)
                for part in model.parts
            },
        )

    def _has(self, part: ModelPart) -> bool:
        return any((self._folder / part.name).glob("*/plans.json"))

    # -- installing ----------------------------------------------------------------------------------------------------

    def tasks(self, model_id: str) -> list[SetupTask]:
        """Weighed by bytes; unpacking and checking count as a share of the download."""
        tasks = []
        for part in self._missing(model_id):
            size = float(part.bytes or USUAL_ARCHIVE_BYTES)
            check = _check_step(catalogue_model(model_id))
            steps = {SetupStep.DOWNLOADING_MODEL: 1.0, SetupStep.UNPACKING_MODEL: 0.1, check: 0.2}
            tasks += [SetupTask(step, part.name, share * size) for step, share in steps.items()]
        return tasks

    def install(self, model_id: str) -> None:
        """What is missing of a model of the catalogue. Raises SegmentationError."""
        model = catalogue_model(model_id)
        missing = self._missing(model_id)
        self._require_engine()
        require_writable(self._folder, _PURPOSE)
        needed = sum(part.bytes or USUAL_ARCHIVE_BYTES for part in missing)
        require_space(self._folder, int(needed * (1 + _UNPACKED_PER_BYTE)))
        for part in missing:
            with self._locked(part.name):
                if not self._has(part):  # another process may have installed it meanwhile
                    self._install_part(model, part)

    def _missing(self, model_id: str) -> list[ModelPart]:
        return [part for part in catalogue_model(model_id).parts if not self._has(part)]

    def _install_part(self, model: CatalogueModel, part: ModelPart) -> None:
        self._reporter.begin(SetupStep.DOWNLOADING_MODEL, part.name)
        archive, digest, source = self._archive(part)
        self._install_archive(archive, part.name, digest, source, (model, part))
        if self._bundle is None:
            forget_download(archive)
            if not any(archive.parent.iterdir()):
                archive.parent.rmdir()

    def _archive(self, part: ModelPart) -> tuple[Path, str, str]:
        """The archive, its digest and where it comes from."""
        recorded = self._records.archive_digest(part.name)
        if self._bundle is not None:
            archive = self._bundle / f"{part.name}.zip"
            if not archive.is_file():
                raise SegmentationError("BUNDLE_INCOMPLETE", detail=f"the archive {archive.name}")
            return archive, self._checked_digest(archive, part, recorded), "folder"
        got = self._download(part, self._folder / DOWNLOADS, recorded)
        if part.sha256 is None and recorded is None:
            self._reporter.warning(Problem("DIGEST_RECORDED", {"file": got.path.name, "digest": got.sha256}))
        return got.path, got.sha256, urlsplit(part.urls[0]).hostname or ""

    def _download(self, part: ModelPart, folder: Path, recorded: str | None) -> Downloaded:
        file = RemoteFile(f"{part.name}.zip", part.urls, part.bytes, part.sha256 or recorded)
        try:
            return self._fetch(file, folder, self._network, self._reporter)
        except SegmentationError as error:
            if error.code == "DOWNLOAD_WRONG_DIGEST" and part.sha256 is None:
                raise SegmentationError("MODEL_DIGEST_CHANGED", file=file.name) from error
            raise

    def parts_of(self, model_id: str) -> list[ModelPart]:
        """Raises SegmentationError("MODEL_UNKNOWN")."""
        return catalogue_model(model_id).parts

    def fetch_archive(self, part: ModelPart, folder: Path) -> None:
        """Only the archive, into ``folder``, for another computer. Raises SegmentationError."""
        self._reporter.begin(SetupStep.DOWNLOADING_MODEL, part.name)
        self._download(part, folder, self._records.archive_digest(part.name))

    def _checked_digest(self, archive: Path, part: ModelPart, recorded: str | None) -> str:
        """Of an archive that did not come through the network. Raises SegmentationError."""
        found = digest_of(archive, self._reporter)
        if part.sha256 is not None and found != part.sha256:
            raise SegmentationError("ARCHIVE_NOT_PUBLISHED", file=archive.name)
        if part.sha256 is None and recorded not in (None, found):
            raise SegmentationError("MODEL_DIGEST_CHANGED", file=archive.name)
        return found

    def _install_archive(
        self,
        archive: Path,
        name: str,
        digest: str | None,
        source: str,
        published: tuple[CatalogueModel, ModelPart] | None,
    ) -> Path:
        self._reporter.begin(SetupStep.UNPACKING_MODEL, name)
        draft = atomic_folder.new_draft(self._folder, name)
        try:
            unpack(archive, draft / "t", self._reporter, _LARGEST_MODEL_BYTES)
            found = find_source(draft / "t", archive.name)
            return self._install_source(found, draft, name, digest, source, published)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _install_source(
        self,
        found: ModelSource,
        draft: Path,
        name: str,
        digest: str | None,
        source: str,
        published: tuple[CatalogueModel, ModelPart] | None,
    ) -> Path:
        """Converts or copies the model into ``draft``, has it checked, and puts it in place."""
        leaf = found.leaf
        if published is not None:
            leaf = published[0].part_folders(self._folder)[0].name
        made = draft / "model" / leaf
        made.parent.mkdir()
        engine, check = self._require_engine(), self._reporter.check_cancelled
        if found.is_v1:
            self._reporter.begin(SetupStep.CONVERTING_MODEL, name)
            engine.ask(["convert-model", str(found.folder), str(made)], check)
        else:
            self._reporter.begin(SetupStep.CHECKING_MODEL, name)
            copy_model(found, made)
        if published is None:
            for warning in settle_order(made, found.voxel_order):
                self._reporter.warning(warning)
        labels = [] if published is None else ["--model", published[0].id, "--part", published[1].name]
        engine.ask(["check-model", str(made), *labels, *([] if found.is_v1 else ["--rewrite"])], check)
        self._reporter.advance(1.0)
        record = PartRecord(
            name=name,
            model=None if published is None else published[0].id,
            archive_sha256=digest,
            source=source,
            installed=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            licence=None if published is None else published[0].licence,
            files=self._digests(made.parent),
        )
        atomic_folder.put_in_place(made.parent, self._folder / name)
        with self._locked("records", _RECORDS_LOCK_SECONDS):
            self._records.remember(record)
        return self._folder / name / leaf

    def _digests(self, folder: Path) -> dict[str, list[Any]]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {
            path.relative_to(folder).as_posix(): [path.stat().st_size, digest_of(path, self._reporter)]
            for path in files
        }

    # -- from a file or folder -----------------------------------------------------------------------------------------

    def add(self, path: Path, voxel_order: str | None = None) -> str:
        """Installs an archive or an unpacked folder, of the catalogue or the user's own; theirs stays as it is.

        ``voxel_order`` is stored with a model of the user's own; for one that is installed already it is only stored.
        Returns the id of a model of the catalogue, else the path of the installed model folder. Raises
        SegmentationError.
        """
        if not path.exists():
            raise SegmentationError("INPUT_NOT_FOUND")
        path = path.resolve()
        if path.is_dir() and (path == self._folder.resolve() or self._folder.resolve() in path.parents):
            if voxel_order is None:
                raise SegmentationError("MODEL_DAMAGED", detail="it is already in the folder of installed models")
            return self._store_order(path, voxel_order)
        self._require_engine()
        require_writable(self._folder, _PURPOSE)
        size = path.stat().st_size if path.is_file() else folder_bytes(path)
        require_space(self._folder, int(size * _UNPACKED_PER_BYTE))
        atomic_folder.clean(self._folder)
        return (self._add_archive if path.is_file() else self._add_folder)(path, voxel_order)

    def _store_order(self, path: Path, order: str) -> str:
        """For a model of the user's own below the models folder."""
        found = find_source(path, path.name)
        name = found.folder.relative_to(self._folder.resolve()).parts[0]
        record = self._records.of(name)
        if record is None or record.model is not None:
            raise SegmentationError("MODEL_ORIENTATION_FIXED", orientation=order)
        with self._locked(name):
            store_order(found.folder, order)
            with self._locked("records", _RECORDS_LOCK_SECONDS):
                self._records.remember(replace(record, files=self._digests(self._folder / name)))
        return str(found.folder)

    def _add_archive(self, archive: Path, voxel_order: str | None) -> str:
        draft = atomic_folder.new_draft(self._folder, "added")
        try:
            self._reporter.begin(SetupStep.UNPACKING_MODEL, archive.name)
            unpack(archive, draft / "t", self._reporter, _LARGEST_MODEL_BYTES)
            found = find_source(draft / "t", archive.name)
            published = published_part([*reversed(found.folder.relative_to(draft).parts), archive.stem])
            digest = digest_of(archive, self._reporter)
            if published is not None:
                part = published[1]
                digest = self._checked_digest(archive, part, self._records.archive_digest(part.name))
            found = replace(found, voxel_order=voxel_order)
            return self._add_source(found, draft, digest, "file", published, archive.stem)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _add_folder(self, folder: Path, voxel_order: str | None) -> str:
        draft = atomic_folder.new_draft(self._folder, "added")
        try:
            found = replace(find_source(folder, folder.name), voxel_order=voxel_order)
            published = published_part(list(reversed(found.folder.parts)))
            return self._add_source(found, draft, None, "folder", published, folder.name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _add_source(
        self,
        found: ModelSource,
        draft: Path,
        digest: str | None,
        source: str,
        published: tuple[CatalogueModel, ModelPart] | None,
        other_name: str,
    ) -> str:
        if published is not None and found.voxel_order not in (None, CANONICAL):
            raise SegmentationError("MODEL_ORIENTATION_FIXED", orientation=found.voxel_order)
        name = published[1].name if published is not None else self._free_name(own_name(found, draft, other_name))
        with self._locked(name):
            place = self._install_source(found, draft, name, digest, source, published)
        return str(place) if published is None else published[0].id

    def _free_name(self, name: str) -> str:
        """Nothing that is there is replaced by a model of the user's own: it may be another one of the same name."""
        numbered = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
        return next(candidate for candidate in numbered if not (self._folder / candidate).exists())

    # -- checking and removing -----------------------------------------------------------------------------------------

    def verify(self, name: str) -> None:
        """That every file is there as it was installed, and that the engine takes it.

        ``name`` is the id of a model of the catalogue, or the folder's name of one of the user's own. Raises
        SegmentationError: MODEL_UNKNOWN, MODEL_MISSING, MODEL_DAMAGED, MODEL_UNSAFE and others of the check.
        """
        if name in self._records.own_names():
            self._verify_folder(name, [])
            return
        model = catalogue_model(name)
        if not model.is_installed(self._folder):
            raise SegmentationError("MODEL_MISSING", model=name)
        for part in model.parts:
            self._verify_folder(part.name, ["--model", name, "--part", part.name])

    def _verify_folder(self, name: str, labels: list[str]) -> None:
        self._reporter.begin(SetupStep.CHECKING_MODEL, name)
        self._compare(name)
        if self._engine is not None:
            leaf = next((self._folder / name).glob("*/plans.json"), None)
            if leaf is None:
                raise SegmentationError("MODEL_DAMAGED", detail="plans.json is missing")
            self._engine.ask(["check-model", str(leaf.parent), *labels], self._reporter.check_cancelled)

    def _compare(self, name: str) -> None:
        """With the record of its installation; a model that was unpacked by hand has none."""
        record = self._records.of(name)
        for path, (size, digest) in ({} if record is None else record.files).items():
            file = self._folder / name / path
            if not file.is_file():
                raise SegmentationError("MODEL_DAMAGED", detail=f"{path} is missing")
            if file.stat().st_size != size or digest_of(file, self._reporter) != digest:
                raise SegmentationError("MODEL_DAMAGED", detail=f"{path} was changed after the installation")

    def remove(self, name: str, forgets_digest: bool = False) -> list[Problem]:
        """See ModelRemoval.remove."""
        return self._removal.remove(name, forgets_digest)

    def check_own(self, names: Collection[str]) -> None:
        """See ModelRemoval.check_own."""
        self._removal.check_own(names)

    def remove_all(self, own_names: Collection[str] = ()) -> None:
        """See ModelRemoval.remove_all."""
        self._removal.remove_all(own_names)

    # -- small things --------------------------------------------------------------------------------------------------

    def _locked(self, name: str, wait_seconds: float = _LOCK_SECONDS) -> FolderLock:
        lock = FolderLock(self._folder, name)
        lock.acquire(wait_seconds, self._reporter.check_cancelled)
        if name != "records":
            atomic_folder.clean(self._folder)
        return lock

    def _require_engine(self) -> EngineProgram:
        if self._engine is None:
            raise SegmentationError("ENGINE_MISSING", package="torch")
        return self._engine


def _check_step(model: CatalogueModel) -> str:
    return SetupStep.CONVERTING_MODEL if model.format == "nnU-Net v1" else SetupStep.CHECKING_MODEL
