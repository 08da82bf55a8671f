"""Which build of PyTorch this computer gets, by the table in Resources/Engine/sources.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.resources import ENGINE_FOLDER

from TotalSegmentatorSetup.packages.nvidia_driver import Driver, version_numbers

_KEYS = {
    "id": str,
    "system": str,
    "machine": str,
    "device": str,
    "device_title": str,
    "tag": (str, type(None)),
    "index_url": (str, type(None)),
    "torch": str,
    "libraries": bool,
    "requirements": str,
    "minimum_driver": (str, type(None)),
    "compute": (list, type(None)),
    "bytes": (int, type(None)),
    "disk_bytes": (int, type(None)),
    "source": str,
}
_DEVICES = ("cpu", "cuda", "mps")
SOURCES_FILE = "sources.json"


@dataclass(frozen=True)
class TorchVariant:
    """One row of the table: a build of PyTorch, and what it needs."""

    id: str
    tag: str | None
    """Local part of the build's version, such as "cu126"; None where builds have none."""
    index_url: str | None
    """Index of that build; None for the configured ones."""
    torch: str
    bytes: int | None
    """To download, all packages; approximate."""
    minimum_driver: str | None
    requirements_file: str
    system: str
    machine: str
    device: str
    device_title: str
    has_libraries: bool
    """Whether PyTorch's own requirements come along: the libraries of CUDA, which Linux has as packages."""
    compute: tuple[tuple[int, int], tuple[int, int]] | None
    """Lowest and highest compute capability that it has kernels for."""
    disk_bytes: int | None

    def suits(self, driver: Driver | None) -> bool:
        """Whether the driver is new enough and the card of a kind that it has kernels for."""
        if self.minimum_driver is None:
            return True
        return driver is not None and self.runs_with(driver) and self.has_kernels_for(driver)

    def runs_with(self, driver: Driver) -> bool:
        return driver.numbers >= version_numbers(self.minimum_driver or "0")

    def has_kernels_for(self, driver: Driver) -> bool:
        """True as well where the driver does not report it: the test after the installation decides."""
        best = driver.best
        if self.compute is None or best is None or best.compute is None:
            return True
        return self.compute[0] <= best.compute <= self.compute[1]


@dataclass(frozen=True)
class PlatformFacts:
    """The computer, as far as the choice depends on it."""

    system: str
    """As platform.system() returns it: "Linux", "Windows" or "Darwin"."""
    machine: str
    """Of the Python that runs the engine."""
    python: tuple[int, int]
    driver: Driver | None = None


@dataclass(frozen=True)
class Choice:
    variant: TorchVariant
    warnings: tuple[Problem, ...] = ()


def read_sources(file: Path) -> dict[str, Any]:
    """Where the engine's packages come from, as the file says it."""
    return json.loads(file.read_text(encoding="utf-8"))


@lru_cache(maxsize=4)
def read_torch_variants(file: Path = ENGINE_FOLDER / SOURCES_FILE) -> tuple[TorchVariant, ...]:
    """The table in its order, best first. Raises ValueError that names the row where it is not as it should be."""
    rows = [_variant(row) for row in read_sources(file)["variants"]]
    if len({(row.id, row.system, row.machine) for row in rows}) != len(rows):
        raise ValueError("sources.json: two rows of one variant")
    return tuple(rows)


def torch_variants_for(facts: PlatformFacts, resources: Path = ENGINE_FOLDER) -> list[TorchVariant]:
    """What this computer could be given by hand. Raises SegmentationError("PYTHON_UNSUPPORTED")."""
    data = read_sources(resources / SOURCES_FILE)
    rows = [row for row in read_torch_variants(resources / SOURCES_FILE) if _is_for(row, facts)]
    if not rows or "{}.{}".format(*facts.python) not in data["pythons"]:
        raise SegmentationError(
            "PYTHON_UNSUPPORTED",
            version="{}.{}".format(*facts.python),
            platform="{} {}".format({"Darwin": "macOS"}.get(facts.system, facts.system), facts.machine),
        )
    return rows


def choose(platform: PlatformFacts, override: str | None = None, resources: Path = ENGINE_FOLDER) -> Choice:
    """The first variant that suits, or the one with the id ``override``, whatever the driver says.

    Raises SegmentationError("PYTHON_UNSUPPORTED") and "BAD_REQUEST" for an unknown id.
    """
    rows = torch_variants_for(platform, resources)
    if override is not None:
        chosen = [row for row in rows if row.id == override]
        if not chosen:
            known = ", ".join(row.id for row in rows)
            raise SegmentationError(
                "BAD_REQUEST", detail=f"there is no PyTorch variant {override[:20]}; the available variants are {known}"
            )
        return Choice(chosen[0])
    variant = next((row for row in rows if row.suits(platform.driver)), None)
    if variant is None:
        raise ValueError("sources.json: no variant without conditions for {}".format(platform.system))
    warning = _why_not_the_card(rows, platform.driver) if variant.device == "cpu" else None
    return Choice(variant, () if warning is None else (warning,))


def _why_not_the_card(rows: list[TorchVariant], driver: Driver | None) -> Problem | None:
    """There is a card, and the packages for the CPU are installed all the same."""
    if driver is None or driver.best is None or all(row.minimum_driver is None for row in rows):
        return None
    with_kernels = [row for row in rows if row.minimum_driver is not None and row.has_kernels_for(driver)]
    if not with_kernels:
        return Problem("GPU_UNUSABLE", {"device": driver.best.name})
    needed = min((row.minimum_driver or "" for row in with_kernels), key=version_numbers)
    return Problem("DRIVER_OLD", {"driver": driver.version, "needed": needed})


def _is_for(row: TorchVariant, facts: PlatformFacts) -> bool:
    return (row.system, row.machine) == (facts.system, facts.machine)


def _variant(row: Mapping[str, Any]) -> TorchVariant:
    name = row.get("id", "?")
    if set(row) != set(_KEYS):
        raise ValueError("sources.json: {} has wrong keys: {}".format(name, sorted(set(row) ^ set(_KEYS))))
    for key, kind in _KEYS.items():
        if not isinstance(row[key], kind):
            raise ValueError(f"sources.json: {key} of {name} is of the wrong type")
    if row["device"] not in _DEVICES or (row["minimum_driver"] is not None) != (row["device"] == "cuda"):
        raise ValueError(f"sources.json: device and driver of {name} do not fit")
    compute = None if row["compute"] is None else tuple(tuple(map(int, text.split("."))) for text in row["compute"])
    return TorchVariant(
        id=name,
        tag=row["tag"],
        index_url=row["index_url"],
        torch=row["torch"],
        bytes=row["bytes"],
        minimum_driver=row["minimum_driver"],
        requirements_file=row["requirements"],
        system=row["system"],
        machine=row["machine"],
        device=row["device"],
        device_title=row["device_title"],
        has_libraries=row["libraries"],
        compute=compute,  # type: ignore[arg-type]
        disk_bytes=row["disk_bytes"],
    )
