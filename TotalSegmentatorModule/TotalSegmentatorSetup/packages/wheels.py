"""Gets the wheels of one set of packages into a folder, so that a second try has only the rest to fetch.

pip writes what it has fetched only when it is through with all. What it had downloaded when it was stopped lies in its
temporary folder, which is ours: whole wheels are saved from there, and offered to pip at the next try. Into the folder
they come by a rename: what lies there under its name is whole.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorSetup.packages.pip_process import Pip
from TotalSegmentatorSetup.packages.torch_variant import TorchVariant

_TORCH_COMPLETE = "torch-complete"
_UNREACHABLE = frozenset(  # then another source is worth a try
    ("NETWORK_NO_ROUTE", "NETWORK_NAME_NOT_FOUND", "DOWNLOAD_REFUSED", "DOWNLOAD_SERVER_FAILED", "PACKAGE_NOT_FOUND")
)
_GPU_LIBRARIES = "nvidia-"
"""What the names of CUDA's libraries begin with, in the requirements of PyTorch's build on the common index."""
_FEW_ATTEMPTS = ("--retries", "2", "--timeout", "20")
"""Where there is another source, nobody waits minutes for the first."""


@dataclass(frozen=True)
class PackageSources:
    """Where packages come from, where the user said it; else pip's own configuration, and PyTorch's index for torch."""

    index_url: str | None = None
    extra_index_url: str | None = None
    wheel_folder: Path | None = None
    """A folder with all wheels: the network is not asked at all."""

    @property
    def are_given(self) -> bool:
        return self.index_url is not None or self.wheel_folder is not None

    def arguments(self) -> list[str]:
        if self.wheel_folder is not None:
            return ["--no-index", "--find-links", str(self.wheel_folder)]
        chosen = [] if self.index_url is None else ["--index-url", self.index_url]
        return chosen + ([] if self.extra_index_url is None else ["--extra-index-url", self.extra_index_url])


def read_pins(file: Path) -> list[str]:
    """The requirements of a lock, ``name==version`` each."""
    lines = [line.partition("#")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line]


class PackageWheels:
    """The wheels in ``folder``, which is made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for file in folder.glob("*.whl"):
            if not zipfile.is_zipfile(file):  # the disk was full, or the computer went off
                file.unlink()

    def versions(self) -> dict[str, str]:
        return dict(wheel_identity(file.name) for file in sorted(self.folder.glob("*.whl")))

    def pins(self) -> list[str]:
        return [f"{name}=={version}" for name, version in self.versions().items()]

    def unpacked_bytes(self) -> int:
        total = 0
        for file in self.folder.glob("*.whl"):
            with zipfile.ZipFile(file) as archive:
                total += sum(entry.file_size for entry in archive.infolist())
        return total

    def longest_name(self) -> int:
        """Characters of the longest path that a wheel unpacks to."""
        names = []
        for file in self.folder.glob("*.whl"):
            with zipfile.ZipFile(file) as archive:
                names += map(len, archive.namelist())
        return max(names, default=0)

    def has(self, requirement: str) -> bool:
        """Whether the wheel of ``name==version`` is there; a pin without a local part fits every build."""
        name, _, version = requirement.partition("==")
        found = self.versions().get(canonical(name))
        return found is not None and (found == version or ("+" not in version and found.split("+")[0] == version))

    def missing(self, requirements: Iterable[str]) -> list[str]:
        return [requirement for requirement in requirements if not self.has(requirement)]

    def save_from(self, folder: Path) -> None:
        """Moves the whole wheels that lie anywhere in ``folder``, on the same disk, to the others.

        A download that was broken off is no ZIP archive: the table of its entries stands at the end.
        """
        for file in [*folder.rglob("*.whl")]:
            if zipfile.is_zipfile(file):
                file.replace(self.folder / file.name)


class WheelFetcher:
    """Fetches all wheels of ``variant`` with ``pip``; ``part`` is where pip puts them first."""

    def __init__(
        self,
        pip: Pip,
        wheels: PackageWheels,
        variant: TorchVariant,
        sources: PackageSources,
        lock: Path,
        source_only: Sequence[str],
        part: Path,
        while_running: Callable[[], None],
        warn: Callable[[Problem], None],
    ) -> None:
        self._pip = pip
        self._wheels = wheels
        self._variant = variant
        self._sources = sources
        self._lock = lock
        self._source_only = frozenset(map(canonical, source_only))
        self._part = part
        self._while_running = while_running
        self._warn = warn

    def fetch(self) -> None:
        """Raises SegmentationError as pip_process.problem_of() makes it."""
        complete = self._wheels.folder / _TORCH_COMPLETE
        if not complete.is_file():
            self._fetch_torch()
            complete.touch()
        missing = self._wheels.missing(read_pins(self._lock))
        from_source = [pin for pin in missing if canonical(pin.partition("==")[0]) in self._source_only]
        others = [pin for pin in missing if pin not in from_source]
        if others:
            self._fetch(others, ["--no-deps", "--only-binary", ":all:"])
        if from_source:  # pip builds their wheels: pure Python, published without
            self._fetch(from_source, ["--no-deps"])

    def _fetch_torch(self) -> None:
        """From the variant's own index; where that does not answer and the user named no other, from pip's own.

        Then, and where PyTorch's libraries are packages of their own, what torch requires comes along, in the lock's
        versions: a build for CUDA cannot be imported without its libraries. On Linux the common index has no other, so
        someone who agreed to the small packages for the CPU gets it only from an index that they name themselves.

        Raises SegmentationError("TORCH_SERVER_NEEDED") for that.
        """
        variant = self._variant
        resolved = ["--only-binary", ":all:", "--constraint", str(self._lock)]
        plain = f"torch=={variant.torch}"
        options = resolved if variant.has_libraries else ["--only-binary", ":all:", "--no-deps"]
        is_small = variant.system == "Linux" and not variant.has_libraries
        if self._sources.wheel_folder is not None:  # made where torch came without what it requires, as below
            self._fetch([plain], options)
            return
        if variant.index_url is None or self._sources.are_given:
            self._fetch([plain], resolved)
            if is_small and any(name.startswith(_GPU_LIBRARIES) for name in self._wheels.versions()):
                self._warn(
                    Problem("TORCH_WITH_GPU_LIBRARIES", {"host": urlsplit(self._sources.index_url or "").hostname})
                )
            return
        labelled = plain + (f"+{variant.tag}" if variant.tag else "")  # no other index has a build of that name
        try:
            index = ["--extra-index-url", variant.index_url, *_FEW_ATTEMPTS]
            self._fetch([labelled], [*options, *index], variant.index_url)
        except SegmentationError as error:
            if error.code not in _UNREACHABLE:
                raise
            host = error.problem.values.get("host") or urlsplit(variant.index_url).hostname
            if is_small:
                raise SegmentationError("TORCH_SERVER_NEEDED", host=host) from error
            self._warn(Problem("MIRROR_TRIED", {"host": host, "file": "torch"}))
            self._fetch([plain], resolved)

    def _fetch(self, pins: list[str], options: list[str], index_url: str | None = None) -> None:
        here = ["--find-links", str(self._wheels.folder)]
        arguments = ["wheel", "--wheel-dir", str(self._part), *options, *here, *self._sources.arguments(), *pins]
        self._pip.run(arguments, self._while_running, index_url or self._sources.index_url)
        self._wheels.save_from(self._part)


def canonical(name: str) -> str:
    """A project's name as package indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wheel_identity(file_name: str) -> tuple[str, str]:
    """Project and version in a wheel's file name (PEP 427)."""
    name, version = file_name.split("-")[:2]
    return canonical(name), version
