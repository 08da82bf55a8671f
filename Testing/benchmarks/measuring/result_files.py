"""The files in which the figures of the benchmarks stand, with where and when each was measured.

README and docs quote them (Testing/make_figures.py), and a benchmark that is run again writes its file anew.
"""

from __future__ import annotations

import datetime
import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from TotalSegmentatorEngine.machine.cpu_features import has_bf16, processor_name
from TotalSegmentatorEngine.machine.devices import physical_cores
from TotalSegmentatorEngine.machine.memory import installed_memory

RESULTS = Path(__file__).resolve().parents[1] / "results"
_PACKAGES = ("torch", "openvino", "nnunetv2", "numpy", "SimpleITK")


def write_result(
    folder: Path, name: str, what: str, figures: dict[str, dict[str, Any]], repeat: int, others: float
) -> Path:
    """``figures`` as Report has them; ``others``: the share 0..1 of the processors that other programs had."""
    result = {
        "benchmark": name,
        "what": what,
        **_circumstances(),
        "repeat": repeat,
        "share of the processors that other programs had": round(others, 3),
        "figures": figures,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "{}.json".format(name)
    text = json.dumps(result, indent=1, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def read_results(folder: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """By the name of the benchmark."""
    paths = sorted(folder.glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}


def _circumstances() -> dict[str, Any]:
    """Where and when this runs: nothing that names the computer or its user."""
    memory = installed_memory()
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "date": datetime.datetime.now(tz=datetime.timezone.utc).date().isoformat(),
        "processor": processor_name(),
        "has bfloat16": has_bf16(),
        "cores": physical_cores(),
        "memory in GB": None if memory is None else round(memory / 1e9),
        "system": platform.system(),
        "versions": versions,
    }
