"""A CT whose header mirrors it is told by what the networks find in it, on the command line and in the panel.

All of it is slow: the networks run over CTs. Of each they see a part, of the real one four tiles instead of 27; that
the whole one is not warned of is tested in test_real_ct.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
from demo_model.phantom_pool import random_parameters
from one_model import model_task
from phantom import make_phantom
from places import DEMO_MODEL
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorWire.errors.problem import Problem

pytestmark = pytest.mark.slow  # see above

RIGHT_WAY = (1, 1, 1)


class Warnings(SilentReporter):
    def __init__(self) -> None:
        super().__init__()
        self.problems: list[Problem] = []

    def warning(self, problem: Problem) -> None:
        self.problems.append(problem)


def warned_by(model: Path) -> Callable[[Volume], list[str]]:
    """A function from a CT to the codes of what the result is warned of; the network is kept between CTs."""
    cache, prepared = EngineCache(), prepare(model_task(str(model), Path("models"), None, "cpu"))

    def run(volume: Volume) -> list[str]:
        reporter = Warnings()
        segment(volume, prepared, cache, reporter)
        assert all("The CT may be mirrored" in problem.what for problem in reporter.problems if is_result(problem.code))
        return [problem.code for problem in reporter.problems if is_result(problem.code)]

    return run


def is_result(code: str) -> bool:
    return code.startswith("RESULT_")


@pytest.fixture(scope="module")
def upper_part(example_ct: Path) -> tuple[np.ndarray, np.ndarray]:
    """int16 (k, j, i) and IJK to RAS of the upper half of the example CT, without its margins."""
    part = nibabel.load(example_ct).slicer[13:109, 3:99, 40:104]
    return np.asarray(part.dataobj).transpose(2, 1, 0).astype(np.int16), part.affine


@pytest.fixture(scope="module")
def warned_by_example_model(example_model: Path):
    return warned_by(example_model)


def mirrored(array: np.ndarray, matrix: np.ndarray, signs: tuple[int, int, int]) -> Volume:
    return Volume(array, Geometry(array.shape, np.diag([*signs, 1.0]) @ matrix))


@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=3)))
def test_each_wrong_header_of_a_real_ct_is_warned_of_and_the_right_one_is_not(
    warned_by_example_model, upper_part, signs
):
    warned = warned_by_example_model(mirrored(*upper_part, signs))
    assert len(warned) == (0 if signs == RIGHT_WAY else 1)


def test_phantoms_are_not_warned_of_and_an_upside_down_one_is():
    """The middle third of each, from the shoulders to the loins."""
    warned = warned_by(DEMO_MODEL)
    for seed in (3, 17):
        phantom = make_phantom(random_parameters(seed))
        count = len(phantom.ct)
        middle, matrix = phantom.ct[count // 3 : 2 * count // 3], phantom.ijk_to_ras
        assert warned(mirrored(middle, matrix, RIGHT_WAY)) == [], seed
    assert warned(mirrored(middle, matrix, (1, 1, -1))) == ["RESULT_HEAD_FEET"]


def test_the_panel_shows_the_warning_beside_the_result(upper_part, example_model: Path, tmp_path: Path):
    from panel_support import PanelUser, desktop

    array, matrix = upper_part
    upside_down = tmp_path / "ct.nii.gz"
    nibabel.Nifti1Image(array.transpose(2, 1, 0), np.diag([1.0, 1.0, -1.0, 1.0]) @ matrix).to_filename(upside_down)
    with desktop() as app:
        app.load_volume(upside_down)
        user = PanelUser(app, "")
        user.choose_model_folder(str(example_model))
        user.click_apply()
        user.wait_until_ready(600)
        assert not user.error_code, user.describe()
        assert user.ui.messages.warningFrame.visible
        assert "The CT may be mirrored or upside down" in user.ui.messages.warningLabel.text
