"""What a running job says of the time left, against what it then took: at a tenth and at half of ten different jobs.

The jobs run one after the other with the engine loaded, as in a resident worker, on a machine that knows nothing at
first. A run counts from the CT's file to the finished labels; it is not reviewed, since noise has thousands of pieces.
Where nothing is said at a moment, the error counts as 100 %. Other programs make a job longer than it could know; so
the share of the processors that they had stands beside.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.reporting import JobReporter, Reporter
from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.run_job import load_engine, run_job
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import ProgressEvent
from TotalSegmentatorWire.user_folders import CACHE_VARIABLE

from benchmarks.inputs import published_models, tissue_networks
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.image_files import read_nifti
from benchmarks.measuring.processor_clock import ProcessorClock
from benchmarks.measuring.report import median

MOMENTS = {0.1: 0.25, 0.5: 0.15}
"""Share of the run, and the largest median error there."""
_TASK, _COARSE = "lung_nodules", "117-6mm"
"""The task is cropped to the lungs by the coarse model, which finds some in a phantom."""


@dataclass(frozen=True)
class Job:
    name: str
    requests: tuple[ModelRequest, ...]
    ct: Path
    options: JobOptions = field(default_factory=JobOptions)


@dataclass(frozen=True)
class Said:
    """``left``: what the job said at a share of its run, less what has passed since it said so; None: nothing."""

    left: float | None
    real: float

    @property
    def error(self) -> float:
        return 1.0 if self.left is None else abs(self.left / self.real - 1)


def jobs(workload: Workload) -> list[Job]:
    """Ten, of five models: one network, five of them, a few structures, a task with its crop, two models in one job."""
    half = workload.cropped_ct("half", (225.0, 410.0, 410.0))
    few = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    part = workload.cropped_ct("part", (150.0, 330.0, 330.0))
    own, whole = ModelRequest(str(workload.own_model)), workload.ct()
    task, fine, medium, coarse = (ModelRequest(model) for model in (_TASK, "117-1.5mm", "117-3mm", _COARSE))
    return [
        Job("3 mm, 150 slices", (medium,), half),
        Job("1.5 mm, few tiles", (fine,), few),
        Job("6 mm, smooth", (coarse,), few, JobOptions(smooth=True)),
        Job("own model, 100 slices", (own,), part),
        Job("a task in its crop", (task,), part),
        Job("3 mm, 300 slices, no islands", (medium,), whole, JobOptions(smallest_island_mm3=200.0)),
        Job("two models", (medium, task), half),
        Job("1.5 mm, two structures", (ModelRequest("117-1.5mm", ("liver", "aorta")),), few),
        Job("6 mm, 300 slices", (coarse,), whole),
        Job("1.5 mm, more tiles", (fine,), part),
    ]


def measure(workload: Workload) -> None:
    """Prints what each job said, and the median errors."""
    models = _models(workload)
    for path in workload.cache_folder.glob("machine-*.json"):
        path.unlink()
    rows, errors = [], {share: [] for share in MOMENTS}
    cache = EngineCache()
    load_engine()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(CACHE_VARIABLE, str(workload.cache_folder))
        for job in jobs(workload):
            clock = ProcessorClock()
            said, seconds = _run(cache, job, models)
            _used, others = clock.read()
            for share, each in said.items():
                errors[share].append(each.error)
            off = ", ".join("{:.0%} off at {:.0%}".format(each.error, share) for share, each in said.items())
            workload.report.say("  {}: {:.1f} s, {} (others had {:.0%})".format(job.name, seconds, off, others))
            cells = [cell for each in said.values() for cell in _cells(each)]
            rows.append([job.name, seconds, *cells, "{:.0%}".format(others)])
    heads = [head for share in MOMENTS for head in ("left at {:.0%}, s".format(share), "really", "off")]
    workload.report.table(["job", "run s", *heads, "others"], rows)
    for share, most in MOMENTS.items():
        name = "time left at {:.0%} of the run".format(share)
        workload.report.ratio("{}, median error of ten jobs".format(name), median(errors[share]), most)
        workload.report.ratio("{}, largest error".format(name), max(errors[share]))


def _models(workload: Workload) -> Path:
    """Light networks, those of the whole body with results as of a patient, the task's with noise."""
    folder = workload.folder / "models-time-left"
    architectures = published_models.SMALL if workload.small else published_models.LIGHT
    made = published_models.make_published_models
    made(folder, architectures, (_COARSE, "117-1.5mm", "117-3mm"), tissue_networks.tissue_network)
    return made(folder, architectures, (_TASK,))


def _cells(said: Said) -> list[object]:
    return ["nothing" if said.left is None else said.left, said.real, "{:.0%}".format(said.error)]


class _Files:
    """A CT from its file; the result is dropped."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self, _reporter: Reporter) -> ReadInput:
        array, ijk_to_ras = read_nifti(self._path)
        return ReadInput(Volume(array, Geometry(array.shape, ijk_to_ras)))

    def write(self, _result: SegmentationResult, _ct: ReadInput, _reporter: Reporter) -> None:
        pass


def _run(cache: EngineCache, job: Job, models: Path) -> tuple[dict[float, Said], float]:
    told: list[tuple[float, float | None]] = []

    def emit(event: object) -> None:
        if isinstance(event, ProgressEvent):
            told.append((time.perf_counter(), event.seconds_left))

    begun = time.perf_counter()
    run_job(SegmentationTask(job.requests, models, "cpu", job.options), _Files(job.ct), cache, JobReporter("job", emit))
    return said_in(told, begun, time.perf_counter())


def said_in(told: Sequence[tuple[float, float | None]], begin: float, end: float) -> tuple[dict[float, Said], float]:
    """What was said at each of MOMENTS, and the seconds of the run. ``told``: when it was said, and what."""
    said = {}
    for share in MOMENTS:
        moment = begin + share * (end - begin)
        at, left = ([(begin, None)] + [each for each in told if each[0] <= moment])[-1]
        said[share] = Said(None if left is None else max(left - (moment - at), 0.0), end - moment)
    return said, end - begin
