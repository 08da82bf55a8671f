"""Phantom CTs of the benchmarks' sizes as uncompressed NIfTI files, made once and fast.

A long CT repeats a chest and abdomen, every second time upside down, so that no edge arises: time and memory do not ask
for anatomy. The whole-body phantom is real from thigh to head, stretched to the length of its scan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from phantom import Phantom, PhantomParameters, make_phantom
from phantom.body_frame import BODY_CENTRE
from scipy import ndimage

from benchmarks.measuring.image_files import read_nifti, write_nifti

_WHOLE_BODY_MM = (409.6, 409.6, 1500.0)
_BODY_SCALE_Z = 1.4
"""The phantom is 1.01 m long; so its 1.41 m fill a scan of 1.5 m, and a kidney is not shorter than a real one."""


@dataclass(frozen=True)
class Scan:
    """A chest and abdomen of ``slices`` x ``columns`` x ``columns`` voxels; lengths in mm."""

    columns: int
    pixel_mm: float
    slices: int
    slice_mm: float


CHEST_ABDOMEN = Scan(512, 0.8, 300, 1.5)
SMALL = Scan(64, 1.6, 40, 3.0)
"""For trying the benchmarks themselves."""


def long_ct(path: Path, scan: Scan, slices: int) -> Path:
    """A CT like ``scan`` with ``slices`` slices, int16."""
    if not path.exists():
        block = _block(scan)
        planes = (block.ct[_mirrored(number, len(block.ct))] for number in range(slices))
        write_nifti(path, (slices, scan.columns, scan.columns), planes, block.ijk_to_ras, np.int16)
    return path


def labels_of(path: Path, scan: Scan) -> Path:
    """The labels of structures_104 in a CT of ``scan`` as it is, uint8."""
    if not path.exists():
        block = _block(scan)
        write_nifti(path, block.labels.shape, iter(block.labels), block.ijk_to_ras, np.uint8)
    return path


def cropped_ct(path: Path, source: Path, shape: Sequence[int], every: Sequence[int] = (1, 1, 1)) -> Path:
    """The middle of the CT in ``source``, at most ``shape`` (k, j, i) voxels of those that are left when of each axis
    only ``every`` so many are taken."""
    if not path.exists():
        array, ijk_to_ras = read_nifti(source)
        array = array[tuple(slice(None, None, step) for step in every)]
        ijk_to_ras = ijk_to_ras @ np.diag([*every[::-1], 1])
        sizes = [min(size, wanted) for size, wanted in zip(array.shape, shape, strict=True)]
        first = [(size - kept) // 2 for size, kept in zip(array.shape, sizes, strict=True)]
        matrix = ijk_to_ras.copy()
        matrix[:3, 3] += ijk_to_ras[:3, :3] @ np.array(first[::-1], float)
        box = tuple(slice(start, start + size) for start, size in zip(first, sizes, strict=True))
        write_nifti(path, sizes, iter(array[box]), matrix, array.dtype)
    return path


def resampled_ct(path: Path, source: Path, shape: Sequence[int]) -> Path:
    """The CT in ``source`` on ``shape`` (k, j, i) voxels, linearly interpolated from corner to corner, int16."""
    if not path.exists():
        array, ijk_to_ras = read_nifti(source)
        factors = [wanted / size for size, wanted in zip(array.shape, shape, strict=True)]
        fine = ndimage.zoom(array.astype(np.float32), factors, order=1, mode="nearest")
        steps = [(size - 1) / (wanted - 1) for size, wanted in zip(array.shape, shape, strict=True)]
        write_nifti(path, shape, iter(np.rint(fine)), ijk_to_ras @ np.diag([*steps[::-1], 1.0]), np.int16)
    return path


def whole_body(ct_path: Path, labels_path: Path, slices: int, columns: int, scale: float = 1.0) -> None:
    """A CT from thigh to head over 1.5 m and, on its grid, the labels of structures_104. ``scale``: of all lengths."""
    if ct_path.exists() and labels_path.exists():
        return
    sizes = [size * scale for size in _WHOLE_BODY_MM]
    field = tuple((c - size / 2, c + size / 2) for c, size in zip(BODY_CENTRE, sizes, strict=True))
    spacing = tuple(size / count for size, count in zip(sizes, (columns, columns, slices), strict=True))
    parameters = PhantomParameters(
        spacing_mm=spacing, field_of_view_mm=field, scale=(scale, scale, scale * _BODY_SCALE_Z)
    )
    phantom = make_phantom(parameters)
    for path, array in ((ct_path, phantom.ct), (labels_path, phantom.labels)):
        write_nifti(path, array.shape, iter(array), phantom.ijk_to_ras, array.dtype)


@cache
def _block(scan: Scan) -> Phantom:
    half, height = scan.columns * scan.pixel_mm / 2, scan.slices * scan.slice_mm
    field = ((-half, half), (-half, half), (0.0, height))
    spacing = (scan.pixel_mm, scan.pixel_mm, scan.slice_mm)
    return make_phantom(PhantomParameters(spacing_mm=spacing, field_of_view_mm=field))


def _mirrored(number: int, size: int) -> int:
    """Index 0, 1, ... size-1, size-1, ... 1, 0, 0, 1, ..."""
    turn, index = divmod(number, size)
    return index if turn % 2 == 0 else size - 1 - index
