"""Finds the model in an unpacked tree, whatever folders its publisher put around it, and which model it is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, ModelPart, read_catalogue

_DEPTH = 6
"""Folders below the top in which a model is looked for."""
_TABLES = ("plans.json", "dataset.json")
_WEIGHTS = "fold_*/checkpoint_final.pth"


@dataclass(frozen=True)
class ModelSource:
    """A folder ``<trainer>__<plans>[__<configuration>]`` of nnU-Net."""

    folder: Path
    is_v1: bool
    voxel_order: str | None = None
    """As the user states it for a model of their own; see TotalSegmentatorWire.tables.voxel_orders."""

    @property
    def dataset(self) -> str:
        """Name of the dataset's folder above it."""
        return self.folder.parent.name

    @property
    def leaf(self) -> str:
        """Name of the model folder in nnU-Net v2's form; v1 has the configuration two folders above."""
        if not self.is_v1 or self.folder.name.count("__") > 1:
            return self.folder.name
        above = self.folder.parent.parent.name
        return f"{self.folder.name}__{above if above.startswith('3d_') else '3d_fullres'}"


def find_source(top: Path, file_name: str) -> ModelSource:
    """The only model in ``top``. Raises SegmentationError("MODEL_DAMAGED") where there is none, "MODEL_AMBIGUOUS"."""
    found = list(_sources(top, _DEPTH))
    full = [source for source in found if source.leaf.endswith("__3d_fullres")]
    if len(found) > 1 and len(full) == 1:
        found = full
    if len(found) > 1:
        raise SegmentationError("MODEL_AMBIGUOUS", count=len(found))
    if not found:
        raise SegmentationError("MODEL_DAMAGED", detail=f"{file_name} contains no nnU-Net model")
    return found[0]


def _sources(folder: Path, depth: int) -> Iterator[ModelSource]:
    if (folder / "plans.json").is_file():
        yield ModelSource(folder, is_v1=False)
    elif (folder / "plans.pkl").is_file():
        yield ModelSource(folder, is_v1=True)
    elif depth:
        for child in sorted(folder.iterdir()):
            if child.is_dir() and not child.is_symlink() and not child.name.startswith((".", "__MACOSX")):
                yield from _sources(child, depth - 1)


def published_part(names: Iterator[str] | list[str]) -> tuple[CatalogueModel, ModelPart] | None:
    """The part of the catalogue that one of ``names`` (of folders and of the archive without its ending) is."""
    by_name = {part.name: (model, part) for model in read_catalogue().values() for part in model.parts}
    return next((by_name[name] for name in names if name in by_name), None)


def own_name(found: ModelSource, draft: Path, other_name: str) -> str:
    """The dataset's folder; where there is none around the model, what the user's file or folder is called."""
    is_top = found.folder.parent in (draft / "t", Path(found.folder.anchor))
    name = other_name if is_top or not found.dataset.startswith(("Dataset", "Task")) else found.dataset
    return name if re.fullmatch(r"[^\W_][\w .+-]*", name) else found.leaf


def copy_model(source: ModelSource, target: Path) -> None:
    """What inference needs of a v2 model folder: tables and weights, and not the plots and logs of its training."""
    for table in _TABLES:
        if not (source.folder / table).is_file():
            raise SegmentationError("MODEL_DAMAGED", detail=f"{table} is missing")
    weights = sorted(source.folder.glob(_WEIGHTS))
    if not weights:
        raise SegmentationError("MODEL_DAMAGED", detail="it has no weight file")
    for path in (*(source.folder / table for table in _TABLES), *weights):
        copied = target / path.relative_to(source.folder)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
