"""Which mirror images a weight file allows, read of its few kilobytes of structure: its weights stay on the disk.

torch is not imported: a plan that is made before the engine has loaded it needs the answer, too.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from TotalSegmentatorEngine.models.restricted_pickle import SCALARS, Names, RestrictedUnpickler

_LARGEST_STRUCTURE = 64 * 2**20
"""Bytes; that of a published network has a tenth of a megabyte."""


def allowed_mirroring(checkpoint: Path) -> tuple[int, ...] | None:
    """Axes of the network (0..2) along which predictions are averaged over mirror images; None where the file does not
    say so in a form that is known."""
    try:
        stamp = checkpoint.stat()
    except OSError:
        return None
    return _allowed(checkpoint, stamp.st_mtime_ns, stamp.st_size)


@lru_cache(maxsize=256)
def _allowed(checkpoint: Path, _changed: int, _size: int) -> tuple[int, ...] | None:
    try:
        with zipfile.ZipFile(checkpoint) as archive:
            (name,) = (each for each in archive.namelist() if each.rsplit("/", 1)[-1] == "data.pkl")
            if archive.getinfo(name).file_size > _LARGEST_STRUCTURE:
                return None
            with archive.open(name) as stream:
                content = _StructureUnpickler(stream).load()
        if "inference_allowed_mirroring_axes" not in content:
            return None
        axes = tuple(int(axis) for axis in content["inference_allowed_mirroring_axes"] or ())
    except Exception:  # noqa: BLE001 - a broken pickle can raise nearly anything; whoever reads the weights tells of it
        return None
    return axes if len(set(axes)) == len(axes) and set(axes) <= {0, 1, 2} else None


def _no_tensor(*_arguments: Any) -> None:
    """In place of a tensor, which nobody asked for."""


class _StructureUnpickler(RestrictedUnpickler):
    """Knows numbers and texts; tensors and their storages become None."""

    known: ClassVar[Names] = {
        **SCALARS,
        ("torch._utils", "_rebuild_tensor_v2"): _no_tensor,
        ("torch._utils", "_rebuild_parameter"): _no_tensor,
        ("torch", "Size"): _no_tensor,
        ("torch", "device"): _no_tensor,
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        is_storage = module_name == "torch" and global_name.endswith("Storage")
        maker: Callable = _no_tensor
        return maker if is_storage else super().find_class(module_name, global_name)

    def persistent_load(self, _id: Any) -> None:
        return None
