"""The demo model finds structures of the phantom in a quick coarse pass and segments them where they are."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from job_recorder import NetworkRun, run
from one_model import model_task
from phantom import PhantomParameters, make_phantom
from phantom.body_frame import BODY_HIGH, BODY_LOW
from places import TESTING
from scores import dice_by_label
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import PreparedTask, SegmentationResult
from TotalSegmentatorEngine.pipeline import step_scopes
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.coarse_localization import CoarseLocalization
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.tables.catalogue import read_catalogue

pytestmark = pytest.mark.usefixtures("fresh_measurements", "one_thread")

DEMO = TESTING / "demo_model" / "Dataset900_PhantomDemo104"
DEMO_MODEL = "104-1.5mm"
KIDNEYS = ["kidney_left", "kidney_right"]
LONG_MUSCLE = "autochthon_left"
"""Along the whole spine: longer than one of the demo model's tiles, which are 256 mm high."""


@pytest.fixture(scope="module")
def demo_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model in the places of a coarse model and of the parts that know kidneys and muscles, all at its own
    4 mm: the engine takes a folder's spacing from its plans."""
    folder = tmp_path_factory.mktemp("demo_models")
    catalogue = read_catalogue()
    for part in (catalogue["104-3mm"].parts[0], catalogue[DEMO_MODEL].parts[0], catalogue[DEMO_MODEL].parts[3]):
        shutil.copytree(DEMO, folder / part.name)
    return folder


@pytest.fixture(scope="module")
def abdomen() -> Volume:
    """The phantom from the heart to the hips: half a metre, so three of the demo model's tiles."""
    (left, back, lowest), (right, front, _highest) = BODY_LOW, BODY_HIGH
    field_of_view = ((left, right), (back, front), (lowest + 250, lowest + 750))
    made = make_phantom(PhantomParameters(seed=5, spacing_mm=(4.0, 3.5, 4.4), field_of_view_mm=field_of_view))
    return Volume(made.ct, Geometry(made.ct.shape, made.ijk_to_ras))


@pytest.fixture(scope="module")
def full_run(demo_models: Path, abdomen: Volume) -> np.ndarray:
    """The demo model's labels of the whole image."""
    task = model_task("104-3mm", demo_models, None, "cpu", JobOptions(runtime="eager"))
    return segment(abdomen, prepare(task), EngineCache(), SilentReporter()).layers[0]


def dice_with(full_run: np.ndarray, result: SegmentationResult) -> dict[str, float]:
    labels = {structure.label: structure.name for structure in result.structures}
    wanted = np.where(np.isin(full_run, list(labels)), full_run, 0)
    return {labels[label]: value for label, value in dice_by_label(result.layers[0], wanted).items()}


def demo_job(demo_models: Path, structures: list[str]) -> PreparedTask:
    return prepare(
        model_task(DEMO_MODEL, demo_models, structures, "cpu", JobOptions(runtime="eager", self_check=False))
    )


@pytest.fixture
def always_a_coarse_localization(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one spacing for all, the demo's localization costs as much as the full run."""
    monkeypatch.setattr("TotalSegmentatorEngine.plan.job_steps.LOCALIZATION_SHARE", 1.0)


@pytest.mark.slow  # seven tiles of a trained network: a second each on an idle core
def test_the_demo_model_finds_two_kidneys_in_their_region(
    demo_models: Path, abdomen: Volume, full_run: np.ndarray, always_a_coarse_localization
) -> None:
    result, reported = run(abdomen, demo_job(demo_models, KIDNEYS))
    localization, kidneys = reported.plans[-1].passes
    assert kidneys.is_cropped and kidneys.tiles < localization.tiles
    assert {found.name for found in result.found} == set(KIDNEYS)
    dice = dice_with(full_run, result)
    assert set(dice) == set(KIDNEYS) and min(dice.values()) >= 0.9, dice
    assert reported.warnings == []


@pytest.mark.slow  # nine tiles and more of a trained network
def test_the_demo_model_follows_a_structure_of_which_the_localization_saw_one_end(
    demo_models: Path,
    abdomen: Volume,
    full_run: np.ndarray,
    always_a_coarse_localization,
    monkeypatch,
    network_runs: list[NetworkRun],
) -> None:
    """The localization's own finding, cut off: as if it had taken the lower three quarters of a muscle for another."""
    found_by_localization = step_scopes.localization_of

    def upper_end(labels, grid, model) -> CoarseLocalization:
        rows, *across = found_by_localization(labels, grid, model).boxes[LONG_MUSCLE]
        first = rows.stop - (rows.stop - rows.start) // 4
        return CoarseLocalization({LONG_MUSCLE: (slice(first, rows.stop), *across)}, grid)

    monkeypatch.setattr(step_scopes, "localization_of", upper_end)
    result, reported = run(abdomen, demo_job(demo_models, [LONG_MUSCLE]))
    assert reported.warnings == ["REGION_WIDENED"]
    assert reported.values_of("REGION_WIDENED") == {"structures": LONG_MUSCLE}
    assert reported.plans[-1].passes[1].is_cropped
    first_run, *others = (own.region for own in network_runs if own.part.startswith("Task254"))
    assert others and all(other[0].start < first_run[0].start for other in others)
    dice = dice_with(full_run, result)
    assert dice[LONG_MUSCLE] >= 0.9
