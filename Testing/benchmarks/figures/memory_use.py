"""Peak memory of the whole process tree, and how it grows with the length of the scan."""

from __future__ import annotations

import math
from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.image_files import read_nifti
from benchmarks.measuring.report import GB

FULL, FAST = "117-1.5mm", "117-3mm"
SPACING_MM = {FULL: 1.5, FAST: 3.0}
LARGEST_GB = {FULL: 6.0, FAST: 3.5}
SLICES = 800
GROWTH_SLICES = (300, 600, 1200)
GROWTH = 0.10
COMPUTED_TILES = {FULL: 2, FAST: 0}
"""Of each network; 0: all. Memory is at its peak with the second tile, when the first one's sums are there."""


def measure_peak(workload: Workload) -> None:
    """512 x 512 x 800 voxels of 0.8 x 0.8 x 1.5 mm, in both qualities, exact. Quick: at 3 mm alone."""
    rows = []
    for model, largest in LARGEST_GB.items():
        if workload.quick and model != FAST:
            continue
        peak, seconds = _peak(workload, model, SLICES)
        rows.append([model, SLICES, seconds, peak / GB])
        workload.report.ratio("memory {} at {} slices, GB".format(model, SLICES), peak / GB, largest)
    workload.report.table(["model", "slices", "s (1.5 mm: few tiles computed)", "peak GB"], rows)


def measure_growth(workload: Workload) -> None:
    """What is left of the peak without the bytes of the input, the resampled CT and the label map."""
    rows = []
    for model in LARGEST_GB:
        rest = {}
        for slices in GROWTH_SLICES:
            peak, seconds = _peak(workload, model, slices)
            known = known_bytes(workload.ct(slices), SPACING_MM[model])
            rest[slices] = peak - known
            rows.append([model, slices, seconds, peak / GB, known / GB, rest[slices] / GB])
        for slices in GROWTH_SLICES[1:]:
            growth = rest[slices] / rest[GROWTH_SLICES[0]]
            name = "growth {} of the rest, {} over {} slices".format(model, slices, GROWTH_SLICES[0])
            workload.report.ratio(name, growth, 1.0 + GROWTH)
            workload.report.ratio(name + ", no less than", growth, 1.0 - GROWTH, ">=")
    heads = ["model", "slices", "s (1.5 mm: few tiles computed)", "peak GB", "input + resampled + labels GB", "rest GB"]
    workload.report.table(heads, rows)


def _peak(workload: Workload, model: str, slices: int) -> tuple[int, float]:
    run = our_engine.segment(
        workload,
        model,
        workload.ct(slices),
        "labels.nii.gz",
        ["--precision", "exact"],
        clocked=True,
        tiles_per_network=COMPUTED_TILES[model],
    )
    workload.report.say("  {} on {} slices: {:.2f} GB".format(model, slices, run.process.peak_bytes / GB))
    return run.process.peak_bytes, run.seconds


def known_bytes(ct: Path, spacing_mm: float) -> int:
    """Of the CT and its resampled copy, both int16, and of the uint8 label map that is in memory with the networks.

    That one is on the network's grid: the label map on the CT's grid is made when networks and sums are gone.
    """
    array, ijk_to_ras = read_nifti(ct)
    lengths = [math.dist((0.0, 0.0, 0.0), ijk_to_ras[:3, axis]) for axis in (2, 1, 0)]
    resampled = math.prod(round(size * length / spacing_mm) for size, length in zip(array.shape, lengths, strict=True))
    return array.size * array.itemsize + resampled * array.itemsize + resampled
