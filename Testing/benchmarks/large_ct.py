"""Phantom CTs of the benchmarks' sizes as uncompressed NIfTI files, made once and fast.

A long CT repeats a chest and abdomen, every second time upside down, so that no edge arises: time and memory do not ask
for anatomy. The whole-body phantom is real from thigh to head, stretched to the length of its scan.
"""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import nibabel
import numpy as np
from phantom import Phantom, PhantomParameters, make_phantom
from phantom.body_frame import BODY_CENTRE

SPACING_MM = (0.8, 0.8, 1.5)
BLOCK_SLICES = 300
_FIELD_MM = 204.8  # half the width of 512 columns
_WHOLE_BODY_MM = 1500.0
_BODY_SCALE_Z = 1.4
"""The phantom is 1.01 m long; so its 1.41 m fill a scan of 1.5 m, and a kidney is not shorter than a real one."""


def long_ct(path: Path, slices: int, columns: int = 512) -> Path:
    """A CT of ``slices`` x ``columns`` x ``columns`` voxels, int16, in the field of view of SPACING_MM x 512."""
    if not path.exists():
        block = _block(columns)
        write_nifti(path, (slices, *block.ct.shape[1:]), _repeated(block.ct, slices), block.ijk_to_ras, np.int16)
    return path


def whole_body(ct_path: Path, labels_path: Path, slices: int = 1000, columns: int = 512) -> None:
    """A CT from thigh to head over 1.5 m and, on its grid, the labels of structures_104."""
    if ct_path.exists() and labels_path.exists():
        return
    middle = BODY_CENTRE[2]
    low, high = middle - _WHOLE_BODY_MM / 2, middle + _WHOLE_BODY_MM / 2
    field = ((-_FIELD_MM, _FIELD_MM), (-_FIELD_MM, _FIELD_MM), (low, high))
    spacing = (2 * _FIELD_MM / columns, 2 * _FIELD_MM / columns, _WHOLE_BODY_MM / slices)
    phantom = make_phantom(
        PhantomParameters(spacing_mm=spacing, field_of_view_mm=field, scale=(1.0, 1.0, _BODY_SCALE_Z))
    )
    for path, array in ((ct_path, phantom.ct), (labels_path, phantom.labels)):
        write_nifti(path, array.shape, iter(array), phantom.ijk_to_ras, array.dtype)


def write_nifti(
    path: Path, shape: tuple[int, ...], slices: Iterator[np.ndarray], ijk_to_ras: np.ndarray, dtype: np.dtype | type
) -> None:
    """An uncompressed NIfTI file of (k, j, i) slices, a slice at a time; the file is there when it is complete."""
    image = nibabel.Nifti1Image(np.zeros((1, 1, 1), dtype), ijk_to_ras)
    header = image.header
    header.set_data_shape(shape[::-1])
    header["vox_offset"] = 352
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as stream:
        stream.write(header.binaryblock + bytes(4))
        for plane in slices:
            stream.write(np.ascontiguousarray(plane, dtype).tobytes())
    draft.rename(path)


def compressed(path: Path) -> Path:
    """The same NIfTI file as .nii.gz, with the compression that scanners' exports and nibabel use by default."""
    target = path.with_name(path.name + ".gz")
    if not target.exists():
        draft = target.with_name(target.name + ".part")
        with path.open("rb") as source, gzip.open(draft, "wb", compresslevel=1) as stream:
            shutil.copyfileobj(source, stream, 2**22)
        draft.rename(target)
    return target


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (k, j, i), as they stand in the file, and the matrix from voxel indices (i, j, k) to RAS in mm."""
    image = nibabel.load(path)
    return np.asarray(image.dataobj).transpose(2, 1, 0), image.affine


@cache
def _block(columns: int) -> Phantom:
    pixel = 2 * _FIELD_MM / columns
    slices_mm = BLOCK_SLICES * SPACING_MM[2]
    spacing = (pixel, pixel, slices_mm / (BLOCK_SLICES * columns // 512))
    field = ((-_FIELD_MM, _FIELD_MM), (-_FIELD_MM, _FIELD_MM), (0.0, slices_mm))
    return make_phantom(PhantomParameters(spacing_mm=spacing, field_of_view_mm=field))


def _repeated(block: np.ndarray, slices: int) -> Iterator[np.ndarray]:
    for number in range(slices):
        turn, k = divmod(number, len(block))
        yield block[k] if turn % 2 == 0 else block[len(block) - 1 - k]
