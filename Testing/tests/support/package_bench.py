"""A store of engine packages with tiny wheels, and stand-ins for pip and for the engine's first test."""

from __future__ import annotations

import shutil
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from tiny_wheels import (
    PackageIndex,
    make_resources,
    make_wheels,
)
from TotalSegmentatorSetup.network.access import NetworkSettings
from TotalSegmentatorSetup.packages import package_store
from TotalSegmentatorSetup.packages.package_store import PackageSources, PackageStore
from TotalSegmentatorSetup.packages.python_choice import EnginePython, own_python
from TotalSegmentatorSetup.support.progress import SetupReporter
from TotalSegmentatorWire.errors.problem import SegmentationError

WORKS = {"versions": {}, "device": "cpu", "device_name": "", "gpu_problem": None}


class FirstTest:
    """Stands in for the engine's first test, which needs the real torch."""

    answer: dict | SegmentationError = WORKS

    def __init__(self, python: str, packages_folder: Path) -> None:
        self.packages_folder = packages_folder

    def ask(self, arguments: list[str], check_cancelled) -> dict:
        assert arguments[0] == "test-engine"
        if isinstance(self.answer, SegmentationError):
            raise self.answer
        return self.answer


class QuickPip:
    """Does what pip does with tiny wheels, without its seconds: most tests are about what stands around it."""

    def __init__(self, python: EnginePython, network: NetworkSettings, temporary: Path) -> None:
        self.log: list[str] = []

    def run(self, arguments: list[str], while_running, index_url=None, with_settings=True) -> None:
        while_running()
        folders = [Path(after) for word, after in pairwise(arguments) if word == "--find-links"]
        wheels = [wheel for folder in folders for wheel in folder.glob("*.whl")]
        if arguments[0] == "install":
            for wheel in wheels:
                zipfile.ZipFile(wheel).extractall(_after(arguments, "--target"))
            return
        part = Path(_after(arguments, "--wheel-dir"))
        part.mkdir(exist_ok=True)
        for pin in (word for word in arguments if "==" in word):
            shutil.copy(next(wheel for wheel in wheels if wheel.name.startswith(pin.replace("==", "-") + "-")), part)


def _after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


class Bench:
    """A store in a folder that many users have the like of, its wheels, and what was told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "Sa É 患者" / "engine"
        self.wheels = make_wheels(folder / "whéels of 患者")
        self.resources = make_resources(folder / "resources")
        self.events: list = []
        self.is_cancelled = False
        self.reporter = SetupReporter(self.events.append, lambda: self.is_cancelled)
        self.options: dict = {"python": own_python, "driver": lambda: None}

    def store(self, sources: PackageSources | None = None) -> PackageStore:
        sources = sources or PackageSources(wheel_folder=self.wheels)
        return PackageStore(self.folder, NetworkSettings(), self.reporter, sources, self.resources, **self.options)

    def install(self, sources: PackageSources | None = None) -> package_store.InstalledEngine:
        store = self.store(sources)
        plan = store.plan()
        self.reporter.expect(store.tasks(plan))
        return store.install(plan)

    def fails(self, sources: PackageSources | None = None) -> SegmentationError:
        with pytest.raises(SegmentationError) as raised:
            self.install(sources)
        return raised.value

    def left(self) -> list[str]:
        return sorted(entry.name for entry in self.folder.iterdir()) if self.folder.is_dir() else []

    def warnings(self) -> list[str]:
        return [event.problem["code"] for event in self.events if event.KIND == "warning"]


def given(index: PackageIndex) -> PackageSources:
    return PackageSources(index_url=index.url)
