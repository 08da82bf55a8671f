"""How long the CT takes to be read and checked, as a DICOM folder and as .nii.gz; and which damage a DICOM file hides.

There is no peer to compare with: run it before and after a change to the reading.
"""

from __future__ import annotations

import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorWire.errors.problem import SegmentationError
from transfer_syntaxes import COMPRESSED, UNCOMPRESSED, make_unsigned, transcode

from benchmarks.inputs.workload import Workload
from benchmarks.measuring.image_files import compressed, read_nifti
from benchmarks.measuring.report import median, spread

SLICES = 400
FLIPS = 200
"""Single bits changed in the pixel data, for each transfer syntax."""
_SLICES_OF_DAMAGED = 12


def measure_time(workload: Workload) -> None:
    """Seconds for 512 x 512 x 400, uncompressed DICOM and .nii.gz."""
    ct = workload.ct(SLICES)
    series = workload.folder / f"ct-{SLICES}-dicom"
    if not series.is_dir():
        workload.report.say("making a DICOM series")
        draft = series.with_name(series.name + ".part")
        shutil.rmtree(draft, ignore_errors=True)
        array, ijk_to_ras = read_nifti(ct)
        ct_variants.write_dicom_series(draft, array, _right_handed(ijk_to_ras), intercept=-1024)
        draft.rename(series)
    rows = []
    for name, path in (("DICOM", series), (".nii.gz", compressed(ct))):
        read_input(path)  # the file's pages and the libraries are in memory
        seconds = [_seconds(path) for _ in range(workload.repeat)]
        rows.append([name, spread(seconds)])
        workload.report.figure(f"reading {name}", median(seconds), "s")
    workload.report.table([f"reading and checking, {SLICES} slices", "s"], rows)


def _right_handed(ijk_to_ras: np.ndarray) -> np.ndarray:
    """Time does not ask where the patient's left is."""
    matrix = ijk_to_ras.copy()
    if np.linalg.det(matrix[:3, :3]) < 0:
        matrix[:3, 0] *= -1
    return matrix


def _seconds(path: Path) -> float:
    begun = time.perf_counter()
    read_input(path)
    return time.perf_counter() - begun


def measure_damage(workload: Workload) -> None:
    """What becomes of a DICOM series in which one bit of the pixel data is changed, by transfer syntax."""
    array, ijk_to_ras = read_nifti(workload.ct(SLICES))
    edge = array.shape[1]
    middle = slice(edge * 3 // 8, edge * 5 // 8)
    small = array[:_SLICES_OF_DAMAGED, middle, middle]
    flips = FLIPS // 10 if workload.small else FLIPS
    rows = []
    for syntax, name in {**UNCOMPRESSED, **COMPRESSED}.items():
        folder = workload.folder / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        ct_variants.write_dicom_series(folder, small, _right_handed(ijk_to_ras), make_unsigned)
        for path in folder.iterdir():
            transcode(path, syntax)
        found = Counter(_outcomes(folder, flips))
        rows.append([name, found["refused"], found["the same"], found["other voxels"]])
        workload.report.figure(f"bit flips not found, {name}", 100 * found["other voxels"] / flips, "%")
    shutil.rmtree(folder)
    workload.report.table([f"{flips} bit flips", "refused", "read, the same", "read, other voxels"], rows)


def _outcomes(folder: Path, flips: int) -> Iterator[str]:
    path = sorted(folder.iterdir())[5]
    whole, expected = path.read_bytes(), read_input(folder).volume.array
    draw = random.Random(path.name)
    size = len(pydicom.dcmread(path).PixelData)
    for _ in range(flips):
        damaged = bytearray(whole)
        damaged[len(whole) - 1 - draw.randrange(min(size, len(whole) // 2))] ^= 1 << draw.randrange(8)
        path.write_bytes(damaged)
        try:
            read = read_input(folder).volume.array
        except SegmentationError:
            yield "refused"
        else:
            yield "the same" if np.array_equal(read, expected) else "other voxels"
    path.write_bytes(whole)
