"""Whether a worker sees the folders that this computer sees: they must be shared, at the same paths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorEngine.job.task import PreparedTask

LARGEST_FOLDERS = 20
"""Folders of CTs that each worker looks for: a sample."""


@dataclass(frozen=True)
class SharedPlaces:
    """What a worker must find. The paths are not shown in any message."""

    mark: Path
    """Of the run; see run_mark.py."""
    model_files: tuple[tuple[Path, int], ...]
    """With their sizes in bytes."""
    inputs: tuple[Path, ...]

    def missing(self) -> str | None:
        """Which option names what is not here; None where all is. Run on a worker."""
        if not self.mark.is_file():
            return "--output"
        if any(_size(path) != size for path, size in self.model_files):
            return "--models-folder"
        if not all(path.exists() for path in self.inputs):
            return "INPUTS"
        return None


def shared_places(mark: Path, prepared: PreparedTask, inputs: Iterable[Path]) -> SharedPlaces:
    """``inputs`` are files and folders of CTs."""
    models = (prepared.model, prepared.coarse_model, prepared.second_model)
    folders = [folder for model in models if model is not None for folder in model.folders_to_run]
    files = [Path(name) for folder in folders for name, _, _ in folder.stamps()]
    by_folder = {path.parent: path for path in inputs}
    return SharedPlaces(
        mark.absolute(),
        tuple((path.absolute(), _size(path)) for path in dict.fromkeys(files)),
        tuple(path.absolute() for path in list(by_folder.values())[:LARGEST_FOLDERS]),
    )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
