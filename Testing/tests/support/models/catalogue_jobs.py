"""Jobs with a tiny catalogue model of five parts, which tests of plans and of memory share."""

from __future__ import annotations

from pathlib import Path

from one_model import model_task
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.messages.options import JobOptions

MODEL = "117-1.5mm"
EAGER = JobOptions(runtime="eager")


def whole_set(models: Path, options: JobOptions = EAGER, device: str = "cpu") -> PreparedTask:
    return prepare(model_task(MODEL, models, device=device, options=options))


def folder_job(folder: Path, options: JobOptions = EAGER) -> PreparedTask:
    return prepare(model_task(str(folder), Path(), device="cpu", options=options))
