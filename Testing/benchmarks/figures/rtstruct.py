"""Our structure set beside that of TotalSegmentator 2.18 (by rt_utils): the same labels on the same CT series.

Both writers have the label map in memory; their time goes from reading the CT's headers to the closed file. Both files
are judged by one reader that is neither's: pydicom and the plain rule that a pixel belongs to a structure where its
centre is inside the contours (tests/support/export/independent_readers.py).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pydicom
from independent_readers import masks_by_plain_rule
from TotalSegmentatorEngine.export.core.roi import Roi
from TotalSegmentatorEngine.export.core.segmentation import Layer, Segment, Segmentation
from TotalSegmentatorEngine.export.dicom.ct_writer import write_ct_series
from TotalSegmentatorEngine.export.dicom.reference_series import read_reference
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.export.rois.plan import plan_rois
from TotalSegmentatorEngine.export.rois.selection import Choice
from TotalSegmentatorEngine.export.rtstruct.writer import write_rtstruct
from TotalSegmentatorEngine.export.seg.writer import write_seg
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorWire.tables.structures import Structure, structure_table

from benchmarks.inputs import large_ct
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.image_files import read_nifti
from benchmarks.measuring.report import spread
from benchmarks.measuring.timed_process import run_timed
from benchmarks.peers.peer_runs import PEER_PROGRAM, peer_python

LARGEST_RATIO = 1.2
SLICES = 300
SECONDS_LINE = "seconds "
_MB = 1e6


class _Case:
    """104 structures from thigh to head on 512 x 512 x 300 voxels, as a DICOM CT series and a label map on it."""

    def __init__(self, workload: Workload) -> None:
        ct, self.labels_file = workload.folder / "rtstruct-ct.nii", workload.folder / "rtstruct-labels.nii"
        large_ct.whole_body(
            ct, self.labels_file, workload.slices(SLICES), workload.scan.columns, 0.25 if workload.small else 1.0
        )
        self.series = workload.folder / "rtstruct-series"
        self.labels, ijk_to_ras = read_nifti(self.labels_file)
        self.grid = Geometry(self.labels.shape, ijk_to_ras)
        if not self.series.exists():
            workload.report.say("writing a CT series of {} slices".format(len(self.labels)))
            draft = self.series.with_name("rtstruct-series.part")
            draft.mkdir(exist_ok=True)
            write_ct_series(draft, Volume(read_nifti(ct)[0], self.grid))
            draft.rename(self.series)

    @cached_property
    def structures(self) -> list[Structure]:
        present = np.flatnonzero(np.bincount(self.labels.ravel()))
        return [structure for structure in structure_table("structures_104") if structure.label in present]

    def rois(self, grid: Geometry) -> list[Roi]:
        segments = [Segment(row.name, row.display_name, row.colour, 0, row.label, {}, row) for row in self.structures]
        segmentation = Segmentation(tuple(segments), (Layer(self.labels, self.grid),))
        return plan_rois(place(segmentation, grid), Choice()).rois

    def label_of(self, roi: Roi) -> int:
        return next(row.label for row in self.structures if (row.name,) == roi.sources)


@dataclass(frozen=True)
class _File:
    """What a structure set holds, and how well its contours give back the labels."""

    bytes: int
    contours: int
    points: int
    dice: dict[int, float]
    """By label; 0 for a structure that the file lacks."""

    @property
    def points_per_contour(self) -> float:
        return self.points / self.contours

    @property
    def mean_dice(self) -> float:
        return float(np.mean(list(self.dice.values())))


def measure(workload: Workload) -> None:
    """Both structure sets; then, of ours, size and time beside DICOM SEG."""
    case = _Case(workload)
    ours, theirs = workload.result("ours-rtstruct.dcm"), workload.result("theirs-rtstruct.dcm")
    our_seconds, their_seconds, names = [], [], {}
    for _ in range(workload.repeat):
        seconds, names = _write_ours(case, ours)
        our_seconds.append(seconds)
        their_seconds.append(_write_theirs(workload, case, theirs))
    our_file = _judge(case, ours, names)
    their_file = _judge(case, theirs, {row.name: row.label for row in case.structures})
    _show_both(workload, case, (our_seconds, our_file), (their_seconds, their_file))
    _show_seg(workload, case, float(np.median(our_seconds)), our_file)


def _write_ours(case: _Case, path: Path) -> tuple[float, dict[str, int]]:
    """Seconds, and which label each name in the file is of."""
    begun = time.perf_counter()
    reference = read_reference(case.series)
    rois = case.rois(reference.grid)
    write_rtstruct(path, rois, reference)
    return time.perf_counter() - begun, {roi.name: case.label_of(roi) for roi in rois}


def _write_theirs(workload: Workload, case: _Case, path: Path) -> float:
    classes = workload.result("rtstruct-classes.json")
    classes.write_text(json.dumps({row.label: row.name for row in case.structures}), encoding="ascii")
    run = run_timed([peer_python(), PEER_PROGRAM, "rtstruct", case.labels_file, classes, case.series, path])
    return next(float(line.removeprefix(SECONDS_LINE)) for _, line in run.lines if line.startswith(SECONDS_LINE))


def _judge(case: _Case, path: Path, names: dict[str, int]) -> _File:
    dataset = pydicom.dcmread(path)
    points = [
        int(contour.NumberOfContourPoints)
        for roi in dataset.ROIContourSequence
        for contour in roi.get("ContourSequence") or ()
    ]
    dice = dict.fromkeys(names.values(), 0.0)
    for name, mask in masks_by_plain_rule(path, case.series):
        expected = case.labels == names[name]
        dice[names[name]] = float(2 * np.count_nonzero(mask & expected) / (mask.sum() + expected.sum()))
    return _File(path.stat().st_size, len(points), sum(points), dice)


def _show_both(
    workload: Workload, case: _Case, ours: tuple[list[float], _File], theirs: tuple[list[float], _File]
) -> None:
    heads = ["", "s", "MB", "contours", "points a contour", "mean Dice", "lowest Dice"]
    rows = [
        [name, spread(seconds), file.bytes / _MB, file.contours, file.points_per_contour]
        + ["{:.5f}".format(value) for value in (file.mean_dice, min(file.dice.values()))]
        for name, (seconds, file) in (("ours", ours), ("TotalSegmentator 2.18", theirs))
    ]
    shape = " x ".join(map(str, reversed(case.labels.shape)))
    workload.report.say("  {} structures on {} voxels".format(len(case.structures), shape))
    workload.report.table(heads, rows)
    (our_seconds, our_file), (their_seconds, their_file) = ours, theirs
    say = workload.report.ratio
    say(
        "rtstruct: mean Dice after reading back, to TotalSegmentator's",
        our_file.mean_dice / their_file.mean_dice,
        1.0,
        ">=",
    )
    say("rtstruct: lowest Dice after reading back", min(our_file.dice.values()), 1.0, ">=")
    per_contour = our_file.points_per_contour / their_file.points_per_contour
    say("rtstruct: points a contour, to TotalSegmentator's", per_contour, LARGEST_RATIO)
    say("rtstruct: bytes, to TotalSegmentator's", our_file.bytes / their_file.bytes, LARGEST_RATIO)
    say(
        "rtstruct: seconds, to TotalSegmentator's",
        float(np.median(our_seconds) / np.median(their_seconds)),
        LARGEST_RATIO,
    )


def _show_seg(workload: Workload, case: _Case, structure_set_seconds: float, structure_set: _File) -> None:
    reference = read_reference(case.series)
    rois = case.rois(reference.grid)
    rows = [["RT Structure Set", structure_set_seconds, structure_set.bytes / _MB]]
    for encoding in ("binary", "labelmap"):
        path = workload.result("seg-{}.dcm".format(encoding))
        seconds = _seconds(lambda path=path, encoding=encoding: write_seg(path, rois, reference, encoding))
        rows.append(["DICOM SEG, {}".format(encoding), seconds, path.stat().st_size / _MB])
    workload.report.table(["{} structures, all in one".format(len(rois)), "s", "MB"], rows)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
