"""Every task of the catalogue, with small networks in the published folder layout, against what is published.

The coarse models give the label of a known CT number, so that the box is known; the tasks' own networks are seeded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from engine_support import blobs_volume, turned
from hu_models import make_hu_model
from one_model import model_task
from published_task import published_task_labels
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorWire.tables.catalogue import read_catalogue
from TotalSegmentatorWire.tables.structures import structure_table

pytestmark = pytest.mark.usefixtures("one_thread")
TASKS = {name: model for name, model in read_catalogue().items() if model.is_task}
MARK_HU = 2000
PATCH = (32, 32, 32)
BLOCK = (slice(21, 26), slice(2, 8), slice(2, 9))
FAR = slice(18, 30)
"""Slices, in the order of the stored CT, that no box of the block can hold: 20 mm and a voxel of 6 mm beyond it."""
DISTINCT = (
    *("breasts", "head_glands_cavities", "headneck_muscles", "cerebral_bleed", "teeth", "body"),
    *("abdominal_muscles", "vertebrae_pp_refined", "kidney_cysts"),
)
"""Resampled by mm without and with a crop, of two networks, by the plans, cropped by a model that is cropped itself,
with mirroring weights and post-processing, cropped by the body, finished by another model, with labels to drop."""


@pytest.fixture(scope="module")
def volume() -> Volume:
    """90 x 16 x 18 mm, stored from head to feet and from left to right; the block is what the coarse models find."""
    made = blobs_volume((30, 10, 11), (3.0, 1.6, 1.65))
    made.array[...] = np.clip(made.array, -900, 700)
    made.array[BLOCK] = MARK_HU
    return turned(made, (0, 1, 2), (True, False, True))


@pytest.fixture(scope="module")
def coarse_models(tmp_path_factory) -> Callable[[str, str], Path]:
    """A folder with a model that finds the named structure in the block, and nothing else; made once."""

    @cache
    def make(model: str, structure: str) -> Path:
        folder = tmp_path_factory.mktemp("coarse")
        make_hu_model(folder, model, {structure: MARK_HU}, PATCH)
        return folder

    return make


@pytest.fixture
def models(tmp_path: Path, coarse_models: Callable[[str, str], Path], name: str) -> Path:
    """The task's own networks, and the coarse ones that it needs."""
    make_catalogue_model(tmp_path, name, PATCH)
    asking = [TASKS[each] for each in (name, *TASKS[name].needed_models) if each in TASKS]
    asked = {task.crop.model: task.crop.classes[0] for task in asking if task.crop is not None}
    asked |= {step.model: step.structures[0] for task in asking for step in task.steps if step.model}
    for model, structure in asked.items():
        for part in read_catalogue()[model].parts:
            (tmp_path / part.name).symlink_to(coarse_models(model, structure) / part.name)
    return tmp_path


@pytest.mark.parametrize("name", TASKS)
def test_task_runs_within_its_box_and_as_published(name: str, models: Path, volume: Volume) -> None:
    task = TASKS[name]
    result = segment(volume, prepare(model_task(name, models)), EngineCache(), SilentReporter())
    (labels,) = result.layers
    assert {found.name for found in result.found} <= {row.name for row in structure_table(task.structures)}
    if task.crop is not None:
        assert result.found and not labels[FAR].any()
    if name in DISTINCT:
        expected = published_task_labels(name, models, volume)
        assert (labels == expected).mean() >= 0.998 and expected.any()
