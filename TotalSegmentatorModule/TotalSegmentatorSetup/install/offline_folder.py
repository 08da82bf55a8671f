"""What a folder made by make-offline-bundle holds: its table, and whether it is whole and made for this computer.

::

    bundle.json          what is in it, with sizes and SHA-256
    packages/*.whl       the engine's packages for one kind of computer
    models/<part>.zip    archives of models as they were published

A plain folder of wheels or of archives serves as well; then nothing is known of it beforehand.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorSetup.network.downloads import digest_of
from TotalSegmentatorSetup.packages.package_store import EnginePlan
from TotalSegmentatorSetup.support.progress import SetupReporter

TABLE = "bundle.json"
PACKAGES, MODELS = "packages", "models"


def kind_of(plan: EnginePlan) -> dict[str, str]:
    """The kind of computer that a set of packages is for."""
    return {
        "python": plan.interpreter.short_version,
        "system": platform.system(),
        "machine": plan.interpreter.machine,
        "variant": plan.variant.id,
    }


def check_bundle(folder: Path, plan: EnginePlan | None, reporter: SetupReporter) -> None:
    """``plan``: of the packages that are to be installed; None for models alone.

    Raises SegmentationError("BUNDLE_INCOMPLETE") where something of its table is missing, was changed on its way, or
    is meant for another kind of computer.
    """
    if not folder.is_dir():
        raise SegmentationError("INPUT_NOT_FOUND")
    table = read_table(folder)
    if table is None:
        return
    if plan is not None and table["kind"] != kind_of(plan):
        wanted, has = kind_of(plan), table["kind"]
        other = next(name for name in wanted if has.get(name) != wanted[name])
        detail = f"packages for {other} {wanted[other]} (it contains packages for {has.get(other)})"
        raise SegmentationError("BUNDLE_INCOMPLETE", detail=detail)
    for name, (size, digest) in table["files"].items():
        if name.startswith(PACKAGES) and plan is None:
            continue
        file = folder / name
        if not file.is_file():
            raise SegmentationError("BUNDLE_INCOMPLETE", detail=f"the file {file.name}")
        if file.stat().st_size != size or digest_of(file, reporter) != digest:
            raise SegmentationError("BUNDLE_INCOMPLETE", detail=f"an undamaged {file.name}")


def read_table(folder: Path) -> dict[str, Any] | None:
    """None where the folder has none. Raises SegmentationError("BUNDLE_INCOMPLETE") for one that cannot be read."""
    try:
        table = json.loads((folder / TABLE).read_text(encoding="utf-8"))
        return {"kind": dict(table["kind"]), "files": {name: tuple(row) for name, row in table["files"].items()}}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SegmentationError("BUNDLE_INCOMPLETE", detail=f"a readable {TABLE}") from error
