"""Plans learn from the jobs of a computer, whatever came first: tiny jobs, large ones, one while it was busy.

The computer is played: it has true costs, with an overhead for each step, and times that scatter by some percent.
"""

from __future__ import annotations

import math
import random
import statistics
from pathlib import Path

import numpy as np
import pytest
from catalogue_jobs import whole_set
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.machine.profile import MachineProfile
from TotalSegmentatorEngine.models.model_folder import architecture_key
from TotalSegmentatorEngine.plan.memory_estimate import loaded_key
from TotalSegmentatorEngine.plan.memory_strategies import PlanningContext, execution_strategies
from TotalSegmentatorEngine.plan.planner import Planner, label_work
from TotalSegmentatorEngine.plan.rates import CHECKING_RATE, RESTORING_RATE, SMOOTH_RATE, label_rate, resampling_rate
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import Plan

STRATEGY = execution_strategies("cpu", "eager", "exact", keeps_networks=False)[0]
PLACE = ("eager", "exact", "cpu")
SHAPES = [(16, 24, 24), (40, 40, 40), (60, 200, 200), (150, 256, 256), (300, 400, 400)]
"""Of the CTs, voxels of 0.8 x 0.8 x 1.5 mm; the first are a tile or two."""
TINY_FIRST = list(range(10))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, "117-1.5mm")
    return folder


class PlayedComputer:
    """Runs a job as planned and remembers what each step took, as a real job does."""

    def __init__(self, seed: int) -> None:
        self.machine = MachineProfile()
        self._random = random.Random(seed)

    def plan(self, geometry: Geometry, prepared: PreparedTask) -> Plan:
        return Planner(geometry, prepared, PlanningContext(self.machine)).plan(STRATEGY)

    def run(self, geometry: Geometry, prepared: PreparedTask, busy: float = 1.0) -> float:
        """Seconds of the job; ``busy`` times as many as on an idle computer."""
        planner = Planner(geometry, prepared, PlanningContext(self.machine))
        grid, is_smooth, total = planner.grid, prepared.task.options.smooth, 0.0

        def takes(seconds: float) -> float:
            nonlocal total
            seconds *= busy * self._random.uniform(0.92, 1.08)
            total += seconds
            return seconds

        voxels, machine = math.prod(geometry.shape), self.machine
        machine.remember_rate(resampling_rate(grid, prepared.model.profile), voxels, takes(0.1 + 4e-8 * voxels))
        for part, planned in zip(planner.parts, planner.plan(STRATEGY).passes, strict=True):
            folder, tiles = part.folder, planned.tiles
            machine.remember_rate(loaded_key(folder, *PLACE), 1, takes(0.8))
            first, others = takes(0.035), takes(0.025 * (tiles - 1))
            pace = others / (tiles - 1) if tiles > 1 else None
            machine.remember_network(architecture_key(folder), *PLACE, pace, first, tiles)
            for is_resampled, labelled in label_work(
                grid, grid.whole, folder, prepared.model.profile, is_smooth
            ).items():
                seconds = takes(0.02 + (7e-9 if is_resampled else 1.5e-9) * len(folder.labels) * labelled)
                machine.remember_rate(label_rate(folder, "cpu", is_resampled), labelled, seconds)
        machine.remember_rate(SMOOTH_RATE if is_smooth else RESTORING_RATE, voxels, takes(0.05 + 1e-8 * voxels))
        machine.remember_rate(CHECKING_RATE, voxels, takes(0.05 + 2e-8 * voxels))
        machine.save()
        return total


def jobs(models: Path) -> list[tuple[Geometry, PreparedTask]]:
    """Ten: five CTs, with and without smooth boundaries, from the smallest to the largest."""
    prepared = [whole_set(models, JobOptions(runtime="eager", smooth=smooth)) for smooth in (False, True)]
    return [(Geometry(shape, np.diag([0.8, 0.8, 1.5, 1.0])), one) for shape in SHAPES for one in prepared]


def orders() -> list[list[int]]:
    shuffled = [random.Random(seed).sample(TINY_FIRST, 10) for seed in range(4)]
    return [TINY_FIRST, TINY_FIRST[::-1], *shuffled]


def errors(computer: PlayedComputer, models: Path, order: list[int], busy_job: int | None) -> list[float]:
    """Of the plans after the second job, but for the job while the computer was busy."""
    all_jobs, found = jobs(models), []
    for number, index in enumerate(order):
        planned = computer.plan(*all_jobs[index]).seconds
        seconds = computer.run(*all_jobs[index], busy=3.0 if number == busy_job else 1.0)
        if number >= 2 and number != busy_job:
            found.append(abs(planned / seconds - 1))
    return found


@pytest.mark.parametrize("order", orders(), ids=lambda order: "-".join(map(str, order)))
def test_ten_jobs_in_any_order_are_planned_well_after_the_second(models: Path, order: list[int]) -> None:
    found = errors(PlayedComputer(sum(order[:3])), models, order, None)
    assert statistics.median(found) <= 0.25 and max(found) <= 0.5, found


@pytest.mark.parametrize("busy_job", [2, 3, 5, 8])
@pytest.mark.parametrize("order", orders()[1:4], ids=lambda order: "-".join(map(str, order)))
def test_a_job_on_a_busy_computer_does_not_spoil_the_plans_after_it(
    models: Path, order: list[int], busy_job: int
) -> None:
    found = errors(PlayedComputer(busy_job), models, order, busy_job)
    assert statistics.median(found) <= 0.25 and max(found) <= 0.5, found


def test_a_job_of_many_tiles_after_one_of_two_is_not_planned_by_the_labels_of_the_first(models: Path) -> None:
    computer, (tiny, large) = PlayedComputer(1), (jobs(models)[index] for index in (3, 8))
    computer.run(*tiny)
    planned = computer.plan(*large).seconds
    assert planned == pytest.approx(computer.run(*large), rel=0.4)
