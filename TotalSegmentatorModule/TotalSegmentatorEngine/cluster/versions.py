"""Whether the scheduler and the workers run the software that this side runs."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from TotalSegmentatorWire import ALGORITHM_NAME, ENGINE_VERSION
from TotalSegmentatorWire.errors.problem import SegmentationError

if TYPE_CHECKING:
    from distributed import Client


def check_scheduler(client: Client) -> None:
    """Compares Dask's versions, of which Dask supports no mix. Raises SegmentationError("CLUSTER_VERSIONS_DIFFER")."""
    import dask
    import distributed

    packages = client.sync(client.scheduler.versions)["packages"]
    for package, ours in {"dask": dask.__version__, "distributed": distributed.__version__}.items():
        _compare(package, packages.get(package), ours)


def check_workers(client: Client, workers: list[str]) -> dict[str, SegmentationError]:
    """What forbids the use of ``workers`` (their addresses): CLUSTER_VERSIONS_DIFFER, by worker; {} where nothing does.

    Compared are this engine, Python's minor version (pickled functions of another one may not run) and Dask.
    A worker that has gone meanwhile is left out.
    """
    answers: Mapping[str, Any] = client.run(software, workers=workers, on_error="return")
    problems = {}
    for worker, answer in answers.items():
        if isinstance(answer, OSError):
            continue
        try:
            theirs = answer if isinstance(answer, dict) else {}
            for package, ours in software().items():
                _compare(package, theirs.get(package), ours)
        except SegmentationError as error:
            problems[worker] = error
    return problems


def software() -> dict[str, str]:
    """Names and versions of what must be the same on both sides; workers call it, too."""
    import dask
    import distributed

    python = ".".join(platform.python_version_tuple()[:2])
    return {
        ALGORITHM_NAME: ENGINE_VERSION,
        "Python": python,
        "dask": dask.__version__,
        "distributed": distributed.__version__,
    }


def _compare(package: str, theirs: str | None, ours: str) -> None:
    if theirs != ours:
        raise SegmentationError("CLUSTER_VERSIONS_DIFFER", package=package, theirs=theirs or "missing", ours=ours)
