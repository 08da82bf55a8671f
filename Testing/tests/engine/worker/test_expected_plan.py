"""What the resident worker says of a job that nobody has started is what the job then plans."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from catalogue_jobs import MODEL
from engine_support import blobs_volume
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.ct_input.reading import ReadInput
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import plan
from TotalSegmentatorEngine.worker.expected_plan import expected_plan
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.plan import Plan, plan_from_json
from TotalSegmentatorWire.messages.segment import PlanRequest

CT_ID = "the CT"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, MODEL)
    return folder


@pytest.fixture(scope="module")
def volume() -> Volume:
    return blobs_volume((20, 24, 22), (2.4, 2.0, 1.9))


@pytest.fixture
def task(models: Path) -> SegmentationTask:
    return SegmentationTask((ModelRequest(MODEL),), models, "cpu", is_reviewed=True)


def question(volume: Volume, ct_id: str = "") -> PlanRequest:
    matrix = volume.geometry.ijk_to_ras.ravel().tolist()
    return PlanRequest("1", "unused", ct_id, list(volume.geometry.shape), matrix, [], "unused")


def answered(request: PlanRequest, task: SegmentationTask, cache: EngineCache) -> Plan:
    return plan_from_json(expected_plan(request, task, cache).plan)


def test_a_grid_alone_gives_the_plan_of_the_job(volume: Volume, task: SegmentationTask):
    cache = EngineCache()
    expected = answered(question(volume), task, cache)

    ct_bytes = 2 * volume.array.size
    planned = plan(volume, prepare(task), cache)
    assert expected.passes == planned.passes and expected.tiles > 0
    assert expected.profiles == planned.profiles and expected.device == "cpu"
    assert expected.peak_bytes == pytest.approx(planned.peak_bytes + ct_bytes, rel=0.02)


def test_the_ct_that_the_worker_holds_needs_no_memory_twice(volume: Volume, task: SegmentationTask):
    cache = EngineCache()
    cache.remember_ct(CT_ID, ReadInput(volume))
    held = answered(question(volume, CT_ID), task, cache)
    large = dataclasses.replace(question(volume), shape=[400, 512, 512])
    replacing = answered(large, task, cache)
    alone = answered(large, task, EngineCache())

    assert held.passes == plan(volume, prepare(task), cache).passes
    assert alone.peak_bytes - replacing.peak_bytes == pytest.approx(cache.ct_bytes, abs=0.02 * alone.peak_bytes)
    assert replacing.peak_bytes > held.peak_bytes + 2 * 400 * 512 * 512


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"shape": [20, 24]}, "BAD_REQUEST"),
        ({"ijk_to_ras": [1.0, 0.0]}, "BAD_REQUEST"),
        ({"shape": [1, 24, 22]}, "INPUT_TOO_FEW_SLICES"),
        ({"ijk_to_ras": [0.0] * 16}, "INPUT_DEGENERATE_DIRECTION"),
    ],
)
def test_grids_of_no_ct_are_refused(volume: Volume, task: SegmentationTask, changes: dict, code: str):
    with pytest.raises(SegmentationError) as refused:
        expected_plan(dataclasses.replace(question(volume), **changes), task, EngineCache())
    assert refused.value.code == code


def test_models_that_are_not_installed_are_refused(volume: Volume, tmp_path: Path):
    missing = SegmentationTask((ModelRequest(MODEL),), tmp_path)
    with pytest.raises(SegmentationError) as refused:
        expected_plan(question(volume), missing, EngineCache())
    assert refused.value.code == "MODEL_MISSING"
