"""A CT and a stand-in for the networks."""

from __future__ import annotations

from pathlib import Path

import ct_variants
import numpy as np
import pytest
from command_line_support import GRID, PATIENT, FakeModel
from one_model import model_result
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult, SegmentationTask
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.review import Flag, Level
from TotalSegmentatorWire.messages.segment import (
    FoundStructure,
    Stage,
)


@pytest.fixture
def ct(tmp_path: Path) -> Path:
    """A CT in a folder that names a patient."""
    folder = tmp_path / PATIENT
    folder.mkdir()
    array = np.linspace(-1000, 900, 5 * 6 * 7).reshape(5, 6, 7).astype(np.int16)
    return ct_variants.write_image(folder / "ct.nii.gz", array, GRID)


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> list[SegmentationTask]:
    """Replaces the networks by FakeModel; lists the tasks that were prepared."""
    seen: list[SegmentationTask] = []

    def prepare(task: SegmentationTask) -> FakeModel:
        seen.append(task)
        return FakeModel(task)

    def segment(volume, prepared: PreparedTask, cache, reporter: Reporter, on_preview=None) -> SegmentationResult:
        for tile in range(4):
            reporter.progress(Stage.PREDICTING, tile / 4, tile, 4)
        reporter.warning(Problem("DEMO_MODEL"))
        labels = (volume.array > 0).astype(np.uint8)
        found = [FoundStructure(1, "spleen", int(labels.sum()), [0, 6, 0, 5, 0, 4])]
        used = JobOptions(runtime="openvino", precision="exact")
        flags = (Flag("cut_by_scan", Level.CUT, "spleen", numbers={"sides": "feet"}),)
        reviewed = flags if prepared.task.is_reviewed else None
        return model_result(labels, prepared.structures, found, ["liver"], options=used, flags=reviewed)

    monkeypatch.setattr(pipeline, "prepare", prepare)
    monkeypatch.setattr(pipeline, "prefetch_weights", lambda prepared, cache: None)
    monkeypatch.setattr(pipeline, "segment", segment)
    return seen
