"""A worker with a made-up engine: the real loop, job and files, with networks that do what a test asks for.

Started like the real engine. A request's ``model`` is a JSON object: at ``stage`` the job does what ``act`` says:
"slow" (for ever, but listens to cancel), "deaf" (for ever, hears nothing), "refuse" (a foreseeable failure), "crash"
(an unforeseen one, whose message names a patient), "exit" (ends the process), "kill" (ends it as a system without
memory does), "bad plan" (sends a plan that cannot be read, and goes on), "fall back" (warns, and goes on), "until
clicked" (waits until structures are asked for first, writes their names to its log, and goes on). The labels are 1
where the CT is above 0 and 2 where it is below -500; with the act "two layers", at no stage, structure 2 is that and
all of structure 1 as well, and another model has found it; with "agrees" and "differs", at no stage, labels are
approximate unless the precision is exact, and agree as agreements.GOOD and LOW have it, the latter with its warning.
The result's ``device`` tells how often this worker has read a CT, its options are those asked for. Before its tiles
each job tells two plans, a first estimate and PLAN, which has a second network with "until clicked". Asked for a
plan, it tells PLAN, with a pass as large as the CT, on the device that was asked for, and a preview's where that was.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "TotalSegmentatorModule"))
sys.path.append(str(Path(__file__).resolve().parents[1] / "review"))

import agreements
from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorEngine.worker import serve as worker
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import CT_VOXELS
from TotalSegmentatorWire.messages import segment as messages
from TotalSegmentatorWire.messages.plan import PREVIEW, SEGMENTATION, Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import FoundStructure, PlanEvent, Stage
from TotalSegmentatorWire.tables.structures import structure_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from TotalSegmentatorEngine.ct_input.reading import ReadInput
    from TotalSegmentatorEngine.job.task import SegmentationResult, SegmentationTask
    from TotalSegmentatorWire.messages.agreement import Agreement
    from TotalSegmentatorWire.messages.segment import CtHeader

PATIENT = "Smith^John"
SERIES = "1.2.840.113619.2.55.3"
SETTINGS = json.loads(os.environ.get("FAKE_ENGINE", "{}"))
PLAN = Plan(
    models=["fake"],
    profiles={"fake": "demo"},
    device="cpu",
    runtime="eager",
    precision="exact",
    passes=[PlannedPass("Dataset900_Fake", SEGMENTATION, [8, 8, 8], is_cropped=False, tiles=2, seconds=0.1)],
    seconds=0.1,
    peak_bytes=200_000_000,
    available_bytes=8_000_000_000,
)


class ActingReporter(JobReporter):
    """Does what the test asks for when the stage that it names is reached."""

    orders: dict = {}  # noqa: RUF012 - set for each job

    def progress(self, stage: str, fraction_of_stage: float, tile: int = 0, tiles: int = 0) -> None:
        super().progress(stage, fraction_of_stage, tile, tiles)
        if stage != self.orders.get("stage"):
            return
        act = self.orders["act"]
        if act == "refuse":
            raise SegmentationError("MEMORY_SHORT", needed_gb=12.0, free_gb=1.5)
        if act == "crash":
            raise ValueError(f"cannot read '{Path('/data', PATIENT, SERIES, 'slice.dcm')}'")
        if act == "exit":
            os._exit(3)
        if act == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if act == "fall back":
            self.warning(Problem("PRECISION_UNAVAILABLE"))
            return
        if act == "until clicked":
            while not self.asked_first():
                time.sleep(0.01)
                self.check_cancelled()
            print("asked first:", *self.asked_first(), file=sys.stderr, flush=True)
            return
        if act == "bad plan":
            self._emit(PlanEvent(self._job_id, {"passes": 1}))
            return
        while True:
            time.sleep(0.01)
            if act == "slow":
                self.check_cancelled()


def prepare(task: SegmentationTask) -> SimpleNamespace:
    orders = json.loads(task.model_ids[0]) if task.model_ids[0].startswith("{") else {}  # else one of the catalogue
    if orders.get("act") == "no model":
        raise SegmentationError("MODEL_MISSING", model="104-3mm")
    ActingReporter.orders = orders
    return SimpleNamespace(task=task, model=SimpleNamespace(id="fake", profile=SimpleNamespace(id="demo")))


class FakeReader:
    """Reads the CT in a job's folder, and counts."""

    def __init__(self) -> None:
        self.reads = 0

    def __call__(self, job_folder: Path, header: CtHeader, _listen: Callable[[], None]) -> ReadInput:
        import numpy as np
        from TotalSegmentatorEngine.ct_input.reading import ReadInput
        from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume

        array = np.fromfile(job_folder / CT_VOXELS, dtype=header.dtype).reshape(header.shape)
        if not np.isfinite(array).all():
            raise SegmentationError("INPUT_NON_FINITE", count=int((~np.isfinite(array)).sum()))
        self.reads += 1
        warnings = []
        if array.max() > 5000:
            warnings = [Problem("IMPLAUSIBLE_HU", {"minimum": float(array.min()), "maximum": float(array.max())})]
        geometry = Geometry(array.shape, np.reshape(header.ijk_to_ras, (4, 4)))
        return ReadInput(Volume(array, geometry), warnings, header.series_instance_uid)


reader = FakeReader()


def _extent(mask) -> list[int]:
    """First and last i, j, k."""
    import numpy as np

    footprint = mask.any(axis=0)
    spans = [np.flatnonzero(each) for each in (footprint.any(axis=0), footprint.any(axis=1), mask.any(axis=(1, 2)))]
    return [int(end) for span in spans for end in (span[0], span[-1])]


def _wait_for_test(reporter) -> None:
    """After a preview, for as long as the file of the setting "hold" exists; with "refuse" in it, the job fails."""
    hold = Path(SETTINGS["hold"]) if "hold" in SETTINGS else None
    while hold is not None and hold.exists():
        if hold.read_text(encoding="utf-8") == "refuse":
            raise SegmentationError("MEMORY_SHORT", needed_gb=12.0, free_gb=1.5)
        reporter.check_cancelled()
        time.sleep(0.02)


def _preview_of(volume, prepared) -> SegmentationResult:
    import numpy as np
    from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
    from TotalSegmentatorEngine.job.task import SegmentationResult

    labels = (volume.array > 0).astype(np.uint8)
    labels[0] = 0
    rows = structure_table("structures_104")[:1]
    if "hold" in SETTINGS and Path(SETTINGS["hold"]).read_text(encoding="utf-8") == "three structures":
        rows += structure_table("structures_104")[3:5]
        labels[:, :, 5:8] = labels[:, :, 12:15] = 0
        labels[:, :, 8:12] *= 4
        labels[:, :, 15:] *= 5
    masks = {row: labels == row.label for row in rows}
    found = [
        FoundStructure(row.label, row.name, int(mask.sum()), _extent(mask), model="104-3mm")
        for row, mask in masks.items()
    ]
    found = with_digests(found, [labels], volume.geometry, lambda _share: None)
    options, profiles = prepared.task.options, {"104-3mm": "demo"}
    return SegmentationResult([labels], rows, found, [], ["104-3mm"], profiles, "cpu", 0.1, options)


def segment(volume, prepared, _cache, reporter, on_preview=None) -> SegmentationResult:
    """Asked for a preview, it gives one of structure 1 without the first slice, and with "three structures" in the file
    of the setting "hold" one of the structures 1, 4 and 5 apart from each other; ``_wait_for_test`` follows."""
    import numpy as np
    from TotalSegmentatorEngine.job.task import SegmentationResult

    if prepared.task.options.preview and on_preview is not None:
        on_preview(_preview_of(volume, prepared))
        reporter.progress(Stage.PREVIEWING, 1.0)
        _wait_for_test(reporter)
    reporter.plan(dataclasses.replace(PLAN, is_preliminary=True))
    is_waiting = ActingReporter.orders.get("act") == "until clicked"
    reporter.plan(dataclasses.replace(PLAN, passes=PLAN.passes * 2) if is_waiting else PLAN)
    for stage in (Stage.LOADING_MODEL, Stage.RESAMPLING, Stage.PREDICTING, Stage.RESTORING):
        reporter.progress(stage, 0.5, tile=1 if stage == Stage.PREDICTING else 0, tiles=2)
    is_layered = ActingReporter.orders.get("act") == "two layers"
    layers = [(volume.array > 0).astype(np.uint8)]
    if is_layered:
        layers.append(((volume.array > 0) | (volume.array < -500)).astype(np.uint8))
    else:
        layers[0][volume.array < -500] = 2
    structures = structure_table("structures_104")[:3]
    places = [(0, 1, "fake"), (1, 1, "other") if is_layered else (0, 2, "fake")]
    found = []
    for row, (layer, label, model) in zip(structures, places, strict=False):
        mask = layers[layer] == label
        if mask.any():
            found.append(FoundStructure(label, row.name, int(mask.sum()), _extent(mask), layer=layer, model=model))
    absent = [row.name for row in structures if row.name not in {one.name for one in found}]
    device = "reads={}".format(reader.reads)
    profiles = {"fake": "demo"} | ({"other": "published"} if is_layered else {})
    options = prepared.task.options
    made = SegmentationResult(layers, structures, found, absent, list(profiles), profiles, device, 0.1, options)
    is_exact = options.precision == "exact"
    return made if is_exact else dataclasses.replace(made, agreement=_agreement(reporter))


def _agreement(reporter) -> Agreement | None:
    act = ActingReporter.orders.get("act")
    if act == "differs":
        percents = {"percent": 95.1, "low": 93.0, "high": 96.8, "threshold": 98.0}
        reporter.warning(Problem("AGREEMENT_LOW", percents))
    if act == "unchecked":
        reporter.warning(Problem("AGREEMENT_UNKNOWN"))
    return {"agrees": agreements.GOOD, "differs": agreements.LOW}.get(act)


def plan_ahead(geometry, _ct_id, prepared, _cache) -> Plan:
    passes = [dataclasses.replace(PLAN.passes[0], shape=list(geometry.shape))]
    if prepared.task.options.preview:
        passes.append(dataclasses.replace(passes[0], part="Dataset901_Fast", purpose=PREVIEW))
    return dataclasses.replace(PLAN, passes=passes, device=prepared.task.device, seconds=40.0)


def warm_up() -> None:
    """Puts the functions above in place of the engine's."""
    if SETTINGS.get("broken"):
        raise OSError("libtorch_cpu.so: cannot open shared object file")
    time.sleep(SETTINGS.get("warm_up", 0.0))
    from TotalSegmentatorEngine.pipeline import run_job
    from TotalSegmentatorEngine.worker import job_files

    run_job.prepare, run_job.segment, run_job.prefetch_weights = prepare, segment, lambda *_: None
    run_job.plan_ahead = plan_ahead
    job_files.read_transferred = reader


if __name__ == "__main__":
    if sys.argv[1] != "serve":  # an export, a repair, a check
        from TotalSegmentatorEngine.cli.main import main

        sys.exit(main(sys.argv[1:]))
    if "protocol" in SETTINGS:  # an engine of another version
        messages.PROTOCOL_VERSION = worker.PROTOCOL_VERSION = SETTINGS["protocol"]
    if "exit" in SETTINGS:
        sys.exit(SETTINGS["exit"])
    if "raise" in SETTINGS:
        __import__(SETTINGS["raise"])
    worker.missing_package, worker.warm_up = lambda: SETTINGS.get("missing"), warm_up
    worker.JobReporter = ActingReporter
    worker.main(sys.argv[2:])
