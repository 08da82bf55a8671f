"""CTs and label maps as image files: uncompressed NIfTI, as the benchmarks make them, and other formats of the same."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import nibabel
import numpy as np


def write_nifti(
    path: Path, shape: Sequence[int], planes: Iterator[np.ndarray], ijk_to_ras: np.ndarray, dtype: np.dtype | type
) -> None:
    """An uncompressed NIfTI file of (k, j, i) planes, one at a time; the file is there when it is complete."""
    header = nibabel.Nifti1Image(np.zeros((1, 1, 1), dtype), ijk_to_ras).header
    header.set_data_shape(tuple(shape)[::-1])
    header["vox_offset"] = 352  # bytes of header and of the flag that no extension follows
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(path.name + ".part")
    with draft.open("wb") as stream:
        stream.write(header.binaryblock + bytes(4))
        for plane in planes:
            stream.write(np.ascontiguousarray(plane, dtype).tobytes())
    draft.rename(path)


def compressed(path: Path) -> Path:
    """The same file as .nii.gz, with the level of compression that nibabel uses."""
    target = path.with_name(path.name + ".gz")
    if not target.exists():
        draft = target.with_name(target.name + ".part")
        with path.open("rb") as source, gzip.open(draft, "wb", compresslevel=1) as stream:
            shutil.copyfileobj(source, stream, 2**22)
        draft.rename(target)
    return target


def as_nrrd(path: Path) -> Path:
    """The same CT as an uncompressed NRRD file."""
    import SimpleITK

    target = path.with_suffix(".nrrd")
    if not target.exists():
        SimpleITK.WriteImage(SimpleITK.ReadImage(str(path)), str(target), useCompression=False)
    return target


def read_nifti(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (k, j, i), as they stand in the file, and the matrix from voxel indices (i, j, k) to RAS in mm."""
    image = nibabel.load(path)
    return np.asarray(image.dataobj).transpose(2, 1, 0), image.affine
