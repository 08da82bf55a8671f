"""Plans learn from the jobs of a computer, whatever came first: tiny jobs, large ones, one while it was busy.

The computer is played (played_computer.py): it has true costs and a clock of its own, by which the engine measures,
remembers and plans.
"""

from __future__ import annotations

import dataclasses
import random
import statistics
from pathlib import Path

import numpy as np
import pytest
from catalogue_jobs import folder_job
from one_model import model_task
from played_computer import Job, PlayedComputer, Ran
from seeded_models import configuration_settings, make_catalogue_model, make_model_folder, plans_of
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorWire.messages.options import JobOptions

MEDIAN_ERROR, WORST_ERROR = 0.25, 0.5
"""Of the time of plans after the second job, in any order of ten jobs."""
FIRST_JOBS = 2
RANDOM_ORDERS = 40
PATCHES = {"117-1.5mm": (128, 128, 128), "117-3mm": (112, 112, 128), "117-6mm": (64, 64, 80)}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of published patches: so many tiles as published ones, and weights of a few kilobytes."""
    folder = tmp_path_factory.mktemp("models")
    for name, patch_size in PATCHES.items():
        make_catalogue_model(folder, name, patch_size)
    for name, scheme in (("Dataset900_Own", "CTNormalization"), ("Dataset901_Own", "ZScoreNormalization")):
        settings = configuration_settings((96, 96, 96), (1.5, 1.5, 1.5))
        settings["normalization_schemes"] = [scheme]
        make_model_folder(folder / name, plans=plans_of(settings, dataset=name))
    return folder


@pytest.fixture(scope="module")
def jobs(models: Path) -> list[Job]:
    """Ten, from the smallest to the largest, of all that takes a time of its own."""

    def ct(slices: int, columns: int, spacing: tuple[float, float, float] = (0.8, 0.8, 1.5)) -> Geometry:
        return Geometry((slices, columns, columns), np.diag([*spacing, 1.0]))

    def catalogue(name: str, structures: list[str] | None = None, **options: object) -> PreparedTask:
        task = model_task(name, models, structures, device="cpu", options=JobOptions(self_check=False, **options))
        return prepare(task)

    def own(name: str) -> PreparedTask:
        return folder_job(next((models / name).iterdir()), JobOptions())

    reviewed = catalogue("117-3mm")
    reviewed = dataclasses.replace(reviewed, task=dataclasses.replace(reviewed.task, is_reviewed=True))
    kidneys = catalogue("117-1.5mm", ["kidney_left", "kidney_right"])
    return [
        Job("3 mm, one tile", ct(40, 128), catalogue("117-3mm")),
        Job("1.5 mm, one tile a part", ct(60, 160), catalogue("117-1.5mm")),
        Job("own model, few tiles", ct(60, 200), own("Dataset900_Own")),
        Job("6 mm, smooth", ct(150, 400), catalogue("117-6mm", smooth=True)),
        Job("3 mm, thick slices, reviewed", ct(60, 512, (0.9, 0.9, 5.0)), reviewed),
        Job("6 mm, without islands", ct(400, 512), catalogue("117-6mm", smallest_island_mm3=200.0, largest_piece=True)),
        Job("kidneys", ct(500, 512), kidneys, ((0.4, 0.55), (0.3, 0.6), (0.2, 0.8))),
        Job("3 mm, 600 slices", ct(600, 512), catalogue("117-3mm")),
        Job("own model, other normalisation", ct(300, 512), own("Dataset901_Own")),
        Job("1.5 mm, 300 slices", ct(300, 512), catalogue("117-1.5mm")),
    ]


def orders() -> dict[str, list[int]]:
    smallest_first = list(range(10))
    drawn = {f"order {seed}": random.Random(seed).sample(smallest_first, 10) for seed in range(RANDOM_ORDERS)}
    return {"smallest first": smallest_first, "largest first": smallest_first[::-1], **drawn}


def judged(runs: list[Ran], first: int = FIRST_JOBS) -> list[float]:
    """Errors of the plans from number ``first`` on, of those whose networks have all run: the time of others is an
    estimate, of operations that the played computer does not count."""
    return [abs(run.error) for run in runs[first:] if run.plan.seconds is not None and not run.plan.is_estimated]


@pytest.mark.parametrize("name", orders())
def test_ten_jobs_in_any_order_are_planned_well_after_the_second(
    monkeypatch: pytest.MonkeyPatch, jobs: list[Job], name: str
) -> None:
    computer = PlayedComputer(monkeypatch, seed=sum(map(ord, name)))
    found = judged([computer.run(jobs[number]) for number in orders()[name]])
    assert len(found) >= 3
    assert statistics.median(found) <= MEDIAN_ERROR and max(found) <= WORST_ERROR, found


@pytest.mark.parametrize("name", list(orders())[:12])
def test_ten_more_jobs_are_planned_better(monkeypatch: pytest.MonkeyPatch, jobs: list[Job], name: str) -> None:
    computer = PlayedComputer(monkeypatch, seed=sum(map(ord, name)))
    runs = [computer.run(jobs[number]) for number in 2 * orders()[name]]
    found = judged(runs, first=10)
    assert len(found) == 10
    assert statistics.median(found) <= 0.15 and max(found) <= 0.35, found


@pytest.mark.parametrize("busy_job", [0, 1, 3, 6])
@pytest.mark.parametrize("name", list(orders())[:6])
def test_a_job_on_a_busy_computer_spoils_few_plans_after_it(
    monkeypatch: pytest.MonkeyPatch, jobs: list[Job], name: str, busy_job: int
) -> None:
    """Everything took four times as long in one job. Until another job has measured the same step, its processor time
    bounds the error: that of two threads may count for one."""
    computer = PlayedComputer(monkeypatch, seed=busy_job)
    runs = [computer.run(jobs[index], is_busy=number == busy_job) for number, index in enumerate(orders()[name])]
    found = judged([run for number, run in enumerate(runs) if number != busy_job])
    assert statistics.median(found) <= MEDIAN_ERROR and max(found) <= 1.5, found
    again = judged([computer.run(jobs[index]) for index in orders()[name]], first=0)
    last = judged([computer.run(jobs[index]) for index in orders()[name]], first=0)
    assert statistics.median(again) <= 0.15 and max(last) <= WORST_ERROR, (again, last)


def test_moments_of_other_programs_are_outliers(monkeypatch: pytest.MonkeyPatch, jobs: list[Job]) -> None:
    """Each step of every job may have been disturbed; the plans of quiet jobs later on are good all the same."""
    computer = PlayedComputer(monkeypatch, seed=5, busy=0.05)
    for name in ("smallest first", "order 1", "order 2"):
        for number in orders()[name]:
            computer.run(jobs[number])
    quiet = PlayedComputer(monkeypatch, seed=6)
    quiet.machine = computer.machine
    found = judged([quiet.run(jobs[number]) for number in orders()["order 3"]], first=0)
    assert statistics.median(found) <= 0.15 and max(found) <= 0.35, found


def test_the_first_estimate_of_a_few_structures_is_a_bound(monkeypatch: pytest.MonkeyPatch, jobs: list[Job]) -> None:
    """Before the coarse network has run, its parts may have to run anywhere."""
    computer = PlayedComputer(monkeypatch, seed=3)
    kidneys = next(job for job in jobs if job.name == "kidneys")
    computer.run(kidneys)
    run = computer.run(kidneys)
    assert run.first.is_preliminary and not run.plan.is_preliminary
    assert run.first_error > 1.0 and abs(run.error) <= MEDIAN_ERROR


def test_a_job_of_many_tiles_after_one_of_one_is_not_planned_by_what_the_first_tile_cost(
    monkeypatch: pytest.MonkeyPatch, jobs: list[Job]
) -> None:
    computer = PlayedComputer(monkeypatch, seed=1)
    computer.run(jobs[0])
    large = next(job for job in jobs if job.name == "3 mm, 600 slices")
    assert abs(computer.run(large).error) <= MEDIAN_ERROR
