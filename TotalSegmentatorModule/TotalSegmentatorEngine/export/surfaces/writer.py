"""Writes structures as surfaces: a file each in a folder (STL, PLY, OBJ), or one scene (glTF)."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.export_formats import LPS, SPACES

from TotalSegmentatorEngine.export.core.label_volume import Progress, nothing_to_report
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.surfaces.mesh import Mesh, surface_of
from TotalSegmentatorEngine.export.surfaces.mesh_files import write_gltf, write_obj, write_ply, write_stl
from TotalSegmentatorEngine.imaging.atomic_file import atomic_file, check_place, disk_errors
from TotalSegmentatorEngine.imaging.geometry import Geometry

FORMATS = ("stl", "ply", "obj", "gltf")
WRITERS = {"stl": write_stl, "ply": write_ply, "obj": write_obj}

_FORBIDDEN = frozenset('<>:"/\\|?*')
"""In file names on Windows."""
_DEVICES = frozenset(["con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))])
"""Names that Windows keeps for itself, whatever the suffix."""


def write_surfaces(
    target: Path,
    rois: Sequence[Roi],
    grid: Geometry,
    format: str,
    space: str = LPS,
    progress: Progress = nothing_to_report,
    plane_positions: np.ndarray | None = None,
) -> list[Path]:
    """Write the surfaces of ``rois`` in mm of ``space`` ("lps" or "ras"); returns the files.

    "stl", "ply" and "obj": one file a structure, named after it, into the folder ``target``, which is made where it
    does not exist. "gltf": one scene, the file ``target`` (.glb). All files appear, or none; files of these names are
    replaced. ``plane_positions``: LPS of each plane's first voxel, (planes, 3), for a CT whose steps differ.
    Raises SegmentationError: OUTPUT_NOT_WRITABLE, DISK_FULL, and what ``progress`` raises.
    """
    if format not in FORMATS or space not in SPACES:
        raise ValueError(f"unknown format {format} or space {space}")
    meshes = _meshes(rois, grid, space, progress, plane_positions)
    if format == "gltf":
        check_place(target)
        with atomic_file(target) as stream:
            write_gltf(stream, meshes, space)
        return [target]
    return _write_folder(target, meshes, format, space)


def _meshes(
    rois: Sequence[Roi], grid: Geometry, space: str, progress: Progress, plane_positions: np.ndarray | None
) -> Iterator[tuple[Mesh, Roi]]:
    for index, roi in enumerate(rois):
        progress(index, roi)
        yield surface_of(roi.voxels(), grid, space, plane_positions), roi


def _write_folder(folder: Path, meshes: Iterator[tuple[Mesh, Roi]], format: str, space: str) -> list[Path]:
    """The files are made in a folder inside and moved out of it when all are there."""
    if not folder.parent.is_dir() or (folder.exists() and not folder.is_dir()):
        raise SegmentationError("OUTPUT_NOT_WRITABLE")
    with disk_errors(folder.parent):
        is_new = not folder.exists()
        folder.mkdir(exist_ok=True)
        draft = folder / f".{secrets.token_hex(8)}.part"
        is_complete = False
        try:
            draft.mkdir()
            names: set[str] = set()
            for mesh, roi in meshes:
                path = draft / (file_name(roi.name, names) + "." + format)
                with path.open("xb") as stream:
                    WRITERS[format](stream, mesh, space, roi)
            files = [path.replace(folder / path.name) for path in sorted(draft.iterdir())]
            is_complete = True
            return files
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            if is_new and not is_complete:
                shutil.rmtree(folder, ignore_errors=True)


def file_name(name: str, taken: set[str]) -> str:
    """``name`` as a file can have it on every system, unlike those in ``taken`` ignoring case, to which it is added."""
    kept = "".join("_" if letter in _FORBIDDEN or ord(letter) < 32 else letter for letter in name).strip(" .")
    base = kept if kept and kept.split(".")[0].lower() not in _DEVICES else f"structure_{kept}".rstrip("_")
    candidate, number = base, 1
    while candidate.lower() in taken:
        number += 1
        candidate = f"{base}_{number}"
    taken.add(candidate.lower())
    return candidate
