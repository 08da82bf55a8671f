"""The engine's packages: installed into a folder of their own, beside earlier sets, without touching any Python's own.

Steps, each of which may be cut off at any moment: wheels are fetched into ``.wheels``, installed from there into a
draft, tried by the engine's own first test, and the draft gets its name. What has been fetched is kept until then.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from TotalSegmentatorWire.disk_space import disk_full, require_space
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.setup import SetupStep
from TotalSegmentatorWire.resources import ENGINE_FOLDER

from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.packages import installed_engine
from TotalSegmentatorSetup.packages.engine_program import EngineProgram
from TotalSegmentatorSetup.packages.installed_engine import PACKAGES, InstalledEngine, newest_engine
from TotalSegmentatorSetup.packages.nvidia_driver import Driver, gpu_driver
from TotalSegmentatorSetup.packages.pip_process import Pip, end_orphan, short_reason
from TotalSegmentatorSetup.packages.python_choice import EnginePython, engine_python
from TotalSegmentatorSetup.packages.torch_variant import SOURCES_FILE, PlatformFacts, TorchVariant, choose, read_sources
from TotalSegmentatorSetup.packages.wheels import PackageSources, PackageWheels, WheelFetcher
from TotalSegmentatorSetup.support import atomic_folder
from TotalSegmentatorSetup.support.file_lock import FolderLock
from TotalSegmentatorSetup.support.folders import folder_bytes, require_writable
from TotalSegmentatorSetup.support.progress import SetupReporter, SetupTask

__all__ = ["EnginePlan", "InstalledEngine", "PackageSources", "PackageStore", "newest_engine"]

WHEELS = ".wheels"
_OURS = re.compile(r"py3\.\d+-[\w-]+-[0-9a-f]{12}")
_LOCK = "engine"
_LOCK_SECONDS = 3600.0
"""Another Slicer that installs the same is waited for: then it is there for both."""
_PURPOSE = "the engine's packages"
USUAL_PACKAGES_BYTES = 500_000_000
"""To download, where a variant does not state its size."""
_UNPACKED_PER_WHEEL = 3.7
"""Bytes on the disk per byte of a wheel: 1.51 GB of the CPU's 0.42 GB (measured on Linux)."""
_LONGEST_PATH = 259  # Windows, MAX_PATH without its terminating zero
_WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class EnginePlan:
    """What an installation would do."""

    variant: TorchVariant
    folder: Path
    interpreter: EnginePython
    hosts: tuple[str, ...]
    """Servers that packages come from, as far as is known; none where they come from a folder."""
    warnings: tuple[Problem, ...] = ()
    device_name: str = ""

    @property
    def bytes(self) -> int | None:
        return self.variant.bytes

    @property
    def disk_bytes(self) -> int | None:
        if self.variant.disk_bytes is not None or self.variant.bytes is None:
            return self.variant.disk_bytes
        return int(self.variant.bytes * _UNPACKED_PER_WHEEL)

    @property
    def python(self) -> str:
        return self.interpreter.path


class PackageStore:
    """The sets of packages in ``engines_folder``. ``resources``, ``python`` and ``driver`` are for tests."""

    def __init__(
        self,
        engines_folder: Path,
        network: NetworkSettings,
        reporter: SetupReporter,
        sources: PackageSources = PackageSources(),  # noqa: B008 - frozen
        resources: Path = ENGINE_FOLDER,
        python: Callable[[], EnginePython] = engine_python,
        driver: Callable[[], Driver | None] = gpu_driver,
    ) -> None:
        self._folder = engines_folder
        self._network = network
        self._reporter = reporter
        self._sources = sources
        self._resources = resources
        self._python = python
        self._driver = driver
        self.log: list[str] = []
        """What pip printed; it holds paths."""

    # -- what is there -------------------------------------------------------------------------------------------------

    def newest(self) -> InstalledEngine | None:
        """The set to use: the newest complete one that a Python of this computer can run."""
        return newest_engine(self._folder)

    def all(self) -> list[InstalledEngine]:
        return installed_engine.complete_engines(self._folder)

    # -- what would be done --------------------------------------------------------------------------------------------

    def plan(self, override: str | None = None) -> EnginePlan:
        """What suits this computer, or the variant ``override``. Raises SegmentationError("PYTHON_UNSUPPORTED")."""
        python, driver = self._python(), self._driver()
        facts = PlatformFacts(platform.system(), python.machine, python.version, driver)
        choice = choose(facts, override, self._resources)
        name = f"py{python.short_version}-{choice.variant.id}-{self._digest(choice.variant, python)}"
        best = driver.best if driver is not None and choice.variant.device == "cuda" else None
        return EnginePlan(
            variant=choice.variant,
            folder=self._folder / name,
            interpreter=python,
            hosts=self._hosts(choice.variant),
            warnings=choice.warnings,
            device_name="" if best is None else best.name,
        )

    def tasks(self, plan: EnginePlan) -> list[SetupTask]:
        """Weighed by bytes, as models are: what is unpacked and tested counts as a share of the download."""
        size = float(plan.bytes or USUAL_PACKAGES_BYTES)
        shares = {
            SetupStep.DOWNLOADING_PACKAGES: 1.0,
            SetupStep.INSTALLING_PACKAGES: 0.4,
            SetupStep.TESTING_ENGINE: 0.1,
        }
        return [SetupTask(step, "", share * size) for step, share in shares.items()]

    def _digest(self, variant: TorchVariant, python: EnginePython) -> str:
        contents = [variant.torch, variant.tag, variant.system, python.machine, python.short_version]
        lock = self._resources / variant.requirements_file
        return hashlib.sha256(json.dumps(contents).encode() + lock.read_bytes()).hexdigest()[:12]

    def _hosts(self, variant: TorchVariant) -> tuple[str, ...]:
        sources = self._sources
        if sources.wheel_folder is not None:
            return ()
        table = read_sources(self._resources / SOURCES_FILE)
        usual = sources.index_url or os.environ.get("PIP_INDEX_URL") or table["usual_index"]
        own = None if sources.index_url is not None else variant.index_url
        urls = [url for url in (own, usual, sources.extra_index_url) if url]
        return tuple(dict.fromkeys(urlsplit(url).hostname or "" for url in urls))

    # -- doing it ------------------------------------------------------------------------------------------------------

    def install(self, plan: EnginePlan) -> InstalledEngine:
        """Installs anew what ``plan`` names, also in place of the same set. Raises SegmentationError.

        Where another process has just installed it, that one is returned.
        """
        require_writable(self._folder, _PURPOSE)
        before = installed_engine.read_engine(plan.folder)
        lock = FolderLock(self._folder, _LOCK)
        lock.acquire(_LOCK_SECONDS, self._reporter.check_cancelled)
        try:
            meanwhile = installed_engine.read_engine(plan.folder)
            if meanwhile is not None and meanwhile != before:
                return meanwhile
            return self._install(plan)
        finally:
            lock.release()

    def _install(self, plan: EnginePlan) -> InstalledEngine:
        self._reporter.begin(SetupStep.DOWNLOADING_PACKAGES)
        wheels = PackageWheels(self._folder / WHEELS / plan.folder.name)
        self._clean(wheels)
        self._require_space(plan, wheels)
        draft = atomic_folder.new_draft(self._folder, plan.folder.name)
        try:
            pip = Pip(plan.interpreter, self._network, draft / "t")
            self.log = pip.log
            self._fetch(plan, pip, wheels, draft)
            self._unpack(pip, wheels, draft, plan.folder)
            tested = self._test(plan, draft / PACKAGES)
            shutil.rmtree(draft / "t", ignore_errors=True)
            engine = InstalledEngine(
                folder=plan.folder,
                python=plan.python,
                variant=plan.variant.id,
                python_version=plan.interpreter.short_version,
                machine=plan.interpreter.machine,
                versions=wheels.versions(),
                device=tested["device"],
                device_name=tested["device_name"],
                gpu_problem=tested["gpu_problem"],
                created=time.time(),
                bytes=folder_bytes(draft),
            )
            installed_engine.write_engine(draft, plan.folder, engine, plan.interpreter)
            atomic_folder.put_in_place(draft, plan.folder)
        except BaseException:
            wheels.save_from(draft / "t")
            shutil.rmtree(draft, ignore_errors=True)
            raise
        shutil.rmtree(self._folder / WHEELS, ignore_errors=True)
        installed = installed_engine.read_engine(plan.folder)
        if installed is None:
            raise SegmentationError("ENGINE_TEST_FAILED", detail="its installation record cannot be read")
        return installed

    def _fetch(self, plan: EnginePlan, pip: Pip, wheels: PackageWheels, draft: Path) -> None:
        watch = _Watch(self._reporter, [draft, wheels.folder], plan.bytes)
        data = read_sources(self._resources / SOURCES_FILE)
        fetcher = WheelFetcher(
            pip,
            wheels,
            plan.variant,
            self._sources,
            self._resources / plan.variant.requirements_file,
            data["source_only"],
            draft / "t" / "w",
            watch.look,
            self._reporter.warning,
        )
        try:
            fetcher.fetch()
        except SegmentationError as error:
            raise self._with_free_space(error, plan) from error

    def fetch_wheels(self, plan: EnginePlan, folder: Path) -> None:
        """Only the wheels, into ``folder``, for another computer of this kind. Raises SegmentationError."""
        self._reporter.begin(SetupStep.DOWNLOADING_PACKAGES)
        require_writable(folder, _PURPOSE)
        require_space(folder, plan.bytes or 0)
        wheels = PackageWheels(folder)
        draft = atomic_folder.new_draft(folder.parent, folder.name)
        try:
            self._fetch(plan, Pip(plan.interpreter, self._network, draft / "t"), wheels, draft)
        except BaseException:
            wheels.save_from(draft / "t")
            raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def _unpack(self, pip: Pip, wheels: PackageWheels, draft: Path, final: Path) -> None:
        self._reporter.begin(SetupStep.INSTALLING_PACKAGES)
        longest = max(len(str(folder / PACKAGES)) for folder in (draft, final)) + 1 + wheels.longest_name()
        check_path_length(longest, platform.system())
        pins = draft / "t" / "pins.txt"
        pins.write_text("\n".join(wheels.pins()) + "\n", encoding="utf-8")
        watch = _Watch(self._reporter, [draft], wheels.unpacked_bytes())
        options = ["--no-index", "--no-deps", "--no-compile", "--find-links", str(wheels.folder)]
        target = ["--target", str(draft / PACKAGES)]
        pip.run(["install", *options, *target, "-r", str(pins)], watch.look, with_settings=False)

    def _test(self, plan: EnginePlan, packages: Path) -> dict:
        """The engine's own first test. A card that cannot compute is no failure: the processor does its work."""
        self._reporter.begin(SetupStep.TESTING_ENGINE)
        python = plan.interpreter
        program = EngineProgram(python.path, packages)
        try:
            tested = program.ask(["test-engine", "--device", plan.variant.device], self._reporter.check_cancelled)
        except SegmentationError as error:
            if error.code == "SETUP_CANCELLED":
                raise
            detail = short_reason(str(error.problem.values.get("detail") or error.problem.what)).rstrip(".")
            raise SegmentationError("ENGINE_TEST_FAILED", detail=detail) from error
        if tested["gpu_problem"] is not None:
            name = plan.device_name or plan.variant.device_title
            self._reporter.warning(Problem("GPU_UNUSABLE", {"device": name}))
        return tested

    def _require_space(self, plan: EnginePlan, wheels: PackageWheels) -> None:
        if plan.bytes is not None and plan.disk_bytes is not None:
            there = folder_bytes(wheels.folder)
            require_space(self._folder, max(plan.bytes - there, 0) + plan.disk_bytes)

    def _with_free_space(self, error: SegmentationError, plan: EnginePlan) -> SegmentationError:
        """pip reports that the disk is full, not how much is needed."""
        if error.code != "DISK_FULL":
            return error
        needed = (plan.bytes or 0) + (plan.disk_bytes or 0)
        return disk_full(self._folder, needed)

    # -- undoing it ----------------------------------------------------------------------------------------------------

    def remove(self, engine: InstalledEngine) -> None:
        """Raises SegmentationError("FILE_LOCKED") where it is in use; what is left then goes with the next clean()."""
        atomic_folder.discard(engine.folder)

    def remove_all(self) -> None:
        """Every set of packages and all that was fetched for one; the folder too, where it holds nothing else."""
        if not self._folder.is_dir():
            return
        lock = FolderLock(self._folder, _LOCK)
        lock.acquire(0.0, self._reporter.check_cancelled)
        try:
            for folder in self._folder.iterdir():
                if _OURS.fullmatch(folder.name) and (folder / PACKAGES).is_dir():
                    atomic_folder.discard(folder)
            atomic_folder.discard(self._folder / WHEELS)
            atomic_folder.clean(self._folder, _end_work)
        finally:
            lock.release()
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def clean(self) -> None:
        """Removes what processes left that have ended; what they had fetched stays for the next try."""
        atomic_folder.clean(self._folder, _end_work)

    def _clean(self, wheels: PackageWheels) -> None:
        """Before an installation: wheels are saved from broken-off ones, those of other sets are removed."""
        for draft in atomic_folder.dead_drafts(self._folder):
            if draft.name.startswith(f"{atomic_folder.DRAFT}{wheels.folder.name}-"):
                _end_work(draft)
                wheels.save_from(draft / "t")
        atomic_folder.clean(self._folder, _end_work)
        for other in wheels.folder.parent.iterdir():
            if other != wheels.folder:
                shutil.rmtree(other, ignore_errors=True)


class _Watch:
    """Reports how many bytes have arrived while pip runs, and stops it when the user cancels."""

    def __init__(self, reporter: SetupReporter, folders: list[Path], total: int | None) -> None:
        self._reporter = reporter
        self._folders = folders
        self._total = total
        self._looked_at = float("-inf")

    def look(self) -> None:
        self._reporter.check_cancelled()
        if time.monotonic() - self._looked_at < _WATCH_SECONDS:
            return
        self._looked_at = time.monotonic()
        done = sum(folder_bytes(folder) for folder in self._folders)
        fraction = min(done / self._total, 0.99) if self._total else 0.0
        self._reporter.advance(fraction, done, None if self._total is None else max(self._total, done))


def check_path_length(longest: int, system: str) -> None:
    """Windows refuses longer paths unless it is set up for them, and pip's message names a file nobody knows."""
    if system == "Windows" and longest > _LONGEST_PATH and not _has_long_paths():
        reason = "the path of the engine's folder is too long for Windows; choose a shorter one"
        raise SegmentationError("PACKAGE_INSTALL_FAILED", detail=reason)


def _has_long_paths() -> bool:
    """Whether this Windows is set up for long paths (not run here)."""
    try:
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\FileSystem") as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    except (ImportError, OSError):
        return False


def _end_work(draft: Path) -> None:
    """Ends the pip that still works in the draft of a process that has ended."""
    end_orphan(draft / "t")
