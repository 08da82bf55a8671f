"""A worker whose engine is made up: the real serve loop around steps that do what a test asks for.

Started like the real engine. A request's ``model`` is a JSON object: at ``stage`` the job does what ``act`` says:
"slow" (for ever, but listens to cancel), "deaf" (for ever, hears nothing), "refuse" (a foreseeable failure), "crash"
(an unforeseen one, whose message names a patient), "exit" (ends the process), "kill" (ends it as a system without
memory does), "bad plan" (sends a plan that cannot be read, and goes on), "fall back" (warns, and goes on). The labels
are 1 where the CT is above 0 and 2 where it is below -500. The result's ``device`` tells how often this worker has read
a CT, its options are those asked for. Before its tiles each job tells two plans, a first estimate and PLAN.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "TotalSegmentatorModule"))

from TotalSegmentatorEngine.job.reporting import JobReporter
from TotalSegmentatorEngine.worker import serve as worker
from TotalSegmentatorEngine.worker.job_steps import WorkerSteps
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.job_folder import CT_VOXELS
from TotalSegmentatorWire.messages import segment as messages
from TotalSegmentatorWire.messages.options import options_from_json
from TotalSegmentatorWire.messages.plan import SEGMENTATION, Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import FoundStructure, PlanEvent, Stage
from TotalSegmentatorWire.tables.structures import structure_table

PATIENT = "Smith^John"
SERIES = "1.2.840.113619.2.55.3"
SETTINGS = json.loads(os.environ.get("FAKE_ENGINE", "{}"))
PLAN = Plan(
    model="fake",
    profile="demo",
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
        if act == "bad plan":
            self._emit(PlanEvent(self._job_id, {"passes": 1}))
            return
        while True:
            time.sleep(0.01)
            if act == "slow":
                self.check_cancelled()


class FakeSteps(WorkerSteps):
    def __init__(self) -> None:
        super().__init__()
        self._reads = 0
        self._array = None
        self._warnings: list[Problem] = []

    def missing_package(self) -> str | None:
        return SETTINGS.get("missing")

    def warm_up(self) -> None:
        if SETTINGS.get("broken"):
            raise OSError("libtorch_cpu.so: cannot open shared object file")
        time.sleep(SETTINGS.get("warm_up", 0.0))
        import numpy  # noqa: F401

    def reporter(self, job_id, emit, is_cancelled):
        self._reporter = ActingReporter(job_id, emit, is_cancelled)
        return self._reporter

    def prepare(self, request):
        self._options = options_from_json(request.options)
        self._reporter.orders = json.loads(request.model)
        if self._reporter.orders.get("act") == "no model":
            raise SegmentationError("MODEL_MISSING", model="104-3mm")
        return self._reporter.orders

    def read(self, job_folder, header):
        import numpy as np

        self._ct_id = None
        array = np.fromfile(job_folder / CT_VOXELS, dtype=header.dtype).reshape(header.shape)
        if not np.isfinite(array).all():
            raise SegmentationError("INPUT_NON_FINITE", count=int((~np.isfinite(array)).sum()))
        self._ct_id, self._array = header.ct_id, array
        self._reads += 1
        self._warnings = []
        if array.max() > 5000:
            self._warnings = [Problem("IMPLAUSIBLE_HU", {"minimum": float(array.min()), "maximum": float(array.max())})]

    def ct_warnings(self):
        return self._warnings

    def segment(self, prepared, reporter):
        import numpy as np
        from TotalSegmentatorEngine.job.task import SegmentationResult

        reporter.plan(dataclasses.replace(PLAN, is_preliminary=True))
        reporter.plan(PLAN)
        for stage in (Stage.LOADING_MODEL, Stage.RESAMPLING, Stage.PREDICTING, Stage.RESTORING):
            reporter.progress(stage, 0.5, tile=1 if stage == Stage.PREDICTING else 0, tiles=2)
        labels = (self._array > 0).astype(np.uint8)
        labels[self._array < -500] = 2
        structures = structure_table("structures_104")[:3]
        found = [
            FoundStructure(row.label, row.name, int((labels == row.label).sum()), [0, 0, 0, 0, 0, 0])
            for row in structures
            if (labels == row.label).any()
        ]
        absent = [row.name for row in structures if row.name not in {one.name for one in found}]
        device = "reads={}".format(self._reads)
        return SegmentationResult(labels, structures, found, absent, "fake", "demo", device, 0.1, self._options)


if __name__ == "__main__":
    if "protocol" in SETTINGS:  # an engine of another version
        messages.PROTOCOL_VERSION = worker.PROTOCOL_VERSION = SETTINGS["protocol"]
    if "exit" in SETTINGS:
        sys.exit(SETTINGS["exit"])
    if "raise" in SETTINGS:
        __import__(SETTINGS["raise"])
    real_serve = worker.serve
    worker.serve = lambda folder, protocol, idle: real_serve(folder, protocol, idle, FakeSteps())
    worker.main(sys.argv[2:])
