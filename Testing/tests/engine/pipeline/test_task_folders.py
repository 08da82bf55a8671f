"""The model folder of a published task, named by its path, runs as the task of the catalogue does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hu_models import block_volume, make_hu_model
from job_recorder import run
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationTask
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.catalogue import read_catalogue

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

LUNG, NODULE = -700, -300
COARSE, TASK = "117-6mm", "lung_nodules"


def job(models: Path, model: str, **options: object) -> PreparedTask:
    return prepare(SegmentationTask((ModelRequest(model),), models, "cpu", JobOptions(runtime="eager", **options)))


def test_it_has_the_crop_of_the_catalogue(tmp_path: Path) -> None:
    lung, nodule = (slice(4, 14), slice(6, 16), slice(6, 16)), (slice(8, 11), slice(9, 12), slice(9, 12))
    far_away = (slice(24, 28), slice(20, 24), slice(20, 24))
    volume = block_volume((32, 28, 28), [(lung, LUNG), (nodule, NODULE), (far_away, NODULE)], (3.0, 3.0, 3.0))
    make_hu_model(tmp_path, COARSE, {"lung_upper_lobe_left": LUNG})
    make_hu_model(tmp_path, TASK, {"lung": LUNG, "lung_nodules": NODULE}, (32, 32, 32))
    (folder,) = read_catalogue()[TASK].part_folders(tmp_path)
    expected, _reported = run(volume, job(tmp_path, TASK))
    prepared = job(tmp_path, str(folder))
    assert [warning.code for warning in prepared.warnings] == ["MODEL_RUNS_AS_TASK"]
    result, reported = run(volume, prepared)
    assert [each.model for each in reported.plans[-1].passes] == [COARSE, prepared.models[0].model.id]
    assert [each.name for each in result.found] == ["lung", "lung_nodules"]
    assert np.array_equal(result.layers[0], expected.layers[0])
    assert not result.layers[0][far_away].any() and result.layers[0][nodule].any()
    as_nnunet = job(tmp_path, str(folder), profile="nnunet")
    assert as_nnunet.models[0].crop is None and not as_nnunet.warnings


def test_without_the_model_that_crops_it_is_refused(tmp_path: Path) -> None:
    make_hu_model(tmp_path, TASK, {"lung": LUNG})
    (folder,) = read_catalogue()[TASK].part_folders(tmp_path)
    with pytest.raises(SegmentationError) as refused:
        job(tmp_path, str(folder))
    assert (refused.value.code, refused.value.problem.values["needed"]) == ("MODEL_NEEDED", COARSE)
