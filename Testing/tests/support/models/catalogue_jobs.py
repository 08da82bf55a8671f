"""Jobs with a tiny catalogue model of five parts, which tests of plans and of memory share."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_support import blobs_volume
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationTask
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.messages.options import JobOptions

MODEL = "117-1.5mm"
EAGER = JobOptions(runtime="eager")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, MODEL)
    return folder


@pytest.fixture(scope="module")
def volume() -> Volume:
    return blobs_volume((20, 24, 22), (2.4, 2.0, 1.9))


def whole_set(models: Path, options: JobOptions = EAGER, device: str = "cpu") -> PreparedTask:
    return prepare(SegmentationTask(MODEL, models, device=device, options=options))


def folder_job(folder: Path, options: JobOptions = EAGER) -> PreparedTask:
    return prepare(SegmentationTask(str(folder), Path(), device="cpu", options=options))
