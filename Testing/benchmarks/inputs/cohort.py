"""CTs of many patients: phantoms of different size, noise and place in the scanner."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from phantom import PhantomParameters, make_phantom

from benchmarks.inputs.large_ct import Scan
from benchmarks.measuring.image_files import compressed, write_nifti

DIFFERENT = 10
"""So many bodies; the CTs after them are theirs again in files of other bytes, which a run takes for other CTs."""
_GZIP_TIME = slice(4, 8)
"""Bytes of a gzip file's header that hold the time of its making (RFC 1952)."""


def cohort(folder: Path, scan: Scan, slices: int, count: int) -> list[Path]:
    """``count`` .nii.gz files of ``slices`` x columns x columns voxels, int16; made once."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"patient-{number:02d}.nii.gz" for number in range(count)]
    for number, path in enumerate(paths):
        if path.exists():
            continue
        if number < DIFFERENT:
            print(f"making CT {number + 1} of the cohort", flush=True)
            _body(path, scan, slices, number)
        else:
            _other_bytes(paths[number % DIFFERENT], path, number)
    return paths


def _body(path: Path, scan: Scan, slices: int, number: int) -> None:
    half, height = scan.columns * scan.pixel_mm / 2, slices * scan.slice_mm
    parameters = PhantomParameters(
        seed=number,
        spacing_mm=(scan.pixel_mm, scan.pixel_mm, scan.slice_mm),
        field_of_view_mm=((-half, half), (-half, half), (0.0, height)),
        scale=(1.0 + 0.01 * (number % 5 - 2),) * 3,
        shift_mm=(0.0, 0.0, 6.0 * (number % 4)),
    )
    phantom = make_phantom(parameters)
    plain = path.with_suffix("")
    write_nifti(plain, phantom.ct.shape, iter(phantom.ct), phantom.ijk_to_ras, np.int16)
    compressed(plain)
    plain.unlink()


def _other_bytes(source: Path, path: Path, number: int) -> None:
    content = bytearray(source.read_bytes())
    content[_GZIP_TIME] = struct.pack("<I", number)
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(content)
    draft.rename(path)
