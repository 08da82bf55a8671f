"""Labels of logits that are interpolated to the CT's grid: only where the corners of a cell leave them open, against
every voxel, and against nnU-Net's own predictor. The model is fitted to a real CT, so that its labels are anatomy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import Stage

from benchmarks.engine import our_engine
from benchmarks.engine.measured_engine import EVERY_LOGIT_VARIABLE
from benchmarks.engine.our_engine import SceneCt
from benchmarks.figures.labelling.labels import NNUNET, NNUNET_STEP
from benchmarks.inputs import large_ct
from benchmarks.inputs.workload import DEMO_MODEL, SHARED, Workload
from benchmarks.measuring.image_files import read_nifti
from benchmarks.measuring.report import GB, median
from benchmarks.measuring.timed_process import ProgramError
from benchmarks.peers import peer_runs

LABELLING, SECOND_JOB, OF_NNUNET = 0.15, 0.4, 0.25
SIZES = ((200, 512, 512), (300, 512, 512))
SMALL_SIZES = ((50, 128, 128), (75, 128, 128))
EVERY_LOGIT = {EVERY_LOGIT_VARIABLE: "1"}


@dataclass(frozen=True)
class _Runs:
    """Of one size, interleaved: with what is open, and with every voxel."""

    labelling: list[tuple[float, float]]
    second_job: list[tuple[float, float]]
    peak_bytes: tuple[int, int]
    differing_voxels: int


def measure(workload: Workload) -> None:
    """The peer runs on the smaller CT alone: its memory grows with the CT times the labels."""
    folder, source = SHARED / "models" / "example_ct_104_3mm", SHARED / "data" / "example_ct" / "ct.nii.gz"
    if not folder.is_dir():
        workload.report.say("the model fitted to a real CT is not here: the demo model, on the phantom")
        folder, source = DEMO_MODEL, workload.ct()
    model = next(path.parent for path in folder.glob("*/plans.json"))
    for number, shape in enumerate(SMALL_SIZES if workload.small else SIZES):
        name = " x ".join(map(str, reversed(shape)))
        path = workload.folder / "fine-{}-{}.nii".format(folder.name, "-".join(map(str, shape)))
        ct = large_ct.resampled_ct(path, source, shape)
        runs = _both_ways(workload, model, ct)
        _report(workload, name, runs)
        if number == 0:
            _against_nnunet(workload, model, ct, name, [job for job, _every in runs.second_job])


def _both_ways(workload: Workload, model: Path, ct: Path) -> _Runs:
    labelling, jobs, labels, peaks = [], [], [], [0, 0]
    for _ in range(workload.repeat):
        made, seconds = [], []
        for number, changes in enumerate((None, EVERY_LOGIT)):
            output = "labels-{}.nii.gz".format(number)
            run = our_engine.segment(workload, str(model), ct, output, NNUNET, changes=changes)
            made.append(run.stages()[Stage.LABELLING])
            peaks[number] = max(peaks[number], run.process.peak_bytes)
            labels = [*labels[-1:], run.output] if number else [run.output]
            seconds.append(_second_job(workload, model, ct, changes))
        labelling.append(tuple(made))
        jobs.append(tuple(seconds))
    differing = np.count_nonzero(read_nifti(labels[0])[0] != read_nifti(labels[1])[0])
    return _Runs(labelling, jobs, tuple(peaks), int(differing))


def _second_job(workload: Workload, model: Path, ct: Path, changes: dict[str, str] | None) -> float:
    options, scene = JobOptions(profile=NNUNET[1]), SceneCt(ct)
    with our_engine.resident_worker(workload, changes=changes) as worker:
        worker.job(str(model), scene, options)
        return worker.job(str(model), scene, options).seconds


def _report(workload: Workload, name: str, runs: _Runs) -> None:
    report = workload.report
    rows = [
        ["labels made, s", *_medians(runs.labelling)],
        ["second job, s", *_medians(runs.second_job)],
        ["peak memory, GB", *(peak / GB for peak in runs.peak_bytes)],
    ]
    report.table([name, "only what is open", "every voxel"], rows)
    report.ratio(f"{name}: label making against every voxel", _ratio(runs.labelling), LABELLING)
    report.ratio(f"{name}: second job against every voxel", _ratio(runs.second_job), SECOND_JOB)
    report.ratio(f"{name}: peak memory against every voxel", runs.peak_bytes[0] / runs.peak_bytes[1], 1.0)
    report.ratio(f"{name}: labels that differ", runs.differing_voxels, 0)


def _medians(pairs: Sequence[tuple[float, float]]) -> list[float]:
    return [median(values) for values in zip(*pairs, strict=True)]


def _ratio(pairs: Sequence[tuple[float, float]]) -> float:
    return median([new / old for new, old in pairs])


def _against_nnunet(workload: Workload, model: Path, ct: Path, name: str, second_jobs: Sequence[float]) -> None:
    report = workload.report
    try:
        peer = peer_runs.nnunet_predictor(workload, model, ct, "reference.nii.gz", NNUNET_STEP)
    except ProgramError as error:  # 105 logits of each voxel take 22 GB
        report.say("  nnU-Net's predictor did not get to its end: {}".format(str(error).splitlines()[0]))
        return
    report.say("  nnU-Net's predictor: {:.1f} s, {:.1f} GB".format(peer.seconds, peer.process.peak_bytes / GB))
    report.ratio(f"{name}: second job against nnU-Net's predictor", median(second_jobs) / peer.seconds, OF_NNUNET)
