"""The self-check of approximate jobs against whole exact runs: does the stated interval hold the true agreement?

An approximate job and the exact one run once over the whole CT, and every tile of the exact run is compared once; then
the check is repeated on what is stored, with tiles drawn by twenty seeds. The same with labels that are moved by a
voxel, as a bad approximation would give them: each time the job has to warn.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from one_model import model_task
from phantom import PhantomParameters, make_phantom
from phantom.body_frame import BODY_HIGH, BODY_LOW
from TotalSegmentatorEngine.agreement.estimate import Estimate, Population, SampledCell, estimated
from TotalSegmentatorEngine.agreement.tile_choice import Candidate, Drawn, draw, tile_count
from TotalSegmentatorEngine.agreement.tile_counts import CellCounts
from TotalSegmentatorEngine.ct_input.reading import read_input
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.inference import runtimes
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import step_run
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.checking import step_check
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment
from TotalSegmentatorWire.messages.agreement import CROP, REDUCED, Share
from TotalSegmentatorWire.messages.options import JobOptions

from benchmarks.figures.cropping import FAMILY, family_of
from benchmarks.inputs.workload import DEMO_MODEL, SHARED, Workload
from benchmarks.measuring.agreement import agreement

SEEDS = 20
LEAST_INSIDE = 19 / 20
"""A 95 % interval holds the true value so often."""
LEAST_AGREEMENT = JobOptions().least_agreement
DEMO_SPACING = (4.0, 4.0, 4.0)
"""mm; of the demo model, so that nothing is resampled."""
OPTIONS = {REDUCED: {"precision": "reduced"}, CROP: {"precision": "exact", "crop": "body"}}


def measure(workload: Workload) -> None:
    rows: list[list[object]] = []
    for name, folder, volume in _networks(workload):
        source = next(path.parent for path in folder.glob("*/plans.json"))
        family = family_of(source, workload.folder / "models-{}-family".format(name))
        for approximation, model in ((REDUCED, str(source)), (CROP, FAMILY)):
            rows.append(_row(workload, name, approximation, lambda m=model, v=volume, f=family: _Runs(m, f, v)))
    heads = ["networks", "approximation", "tiles", "true %", "mean estimate %", "median interval %", "check/job"]
    workload.report.table(heads, rows)


def _networks(workload: Workload) -> Iterator[tuple[str, Path, Volume]]:
    (left, back, lowest), (right, front, highest) = BODY_LOW, BODY_HIGH
    top = lowest + 300 if workload.small else highest
    field_of_view = ((left, right), (back, front), (lowest, top))
    made = make_phantom(PhantomParameters(seed=5, spacing_mm=DEMO_SPACING, field_of_view_mm=field_of_view))
    yield "demo", DEMO_MODEL, Volume(made.ct, Geometry(made.ct.shape, made.ijk_to_ras))
    fitted = SHARED / "models" / "example_ct_104_3mm"
    if fitted.is_dir() and not workload.small:
        yield "fitted", fitted, read_input(SHARED / "data" / "example_ct" / "ct.nii.gz").volume


def _row(workload: Workload, name: str, approximation: str, make: Callable[[], _Runs]) -> list[object]:
    runs = make()
    exact = runs.result(precision="exact", self_check=False)
    with _every_tile_compared() as stored, _reduced_precision():
        approximate = runs.result(**OPTIONS[approximation])
    true = agreement(approximate.layers[0], exact.layers[0]).foreground
    if not stored:
        return [name, approximation, "none: the regions are the whole image", *["-"] * 4]
    (kept,) = stored
    estimates = [kept.estimate(kept.counts, str(seed)).foreground for seed in range(SEEDS)]
    bad = [kept.estimate(kept.bad_counts, str(seed)).foreground for seed in range(SEEDS)]
    inside = sum(share.low <= true <= share.high for share in estimates) / SEEDS
    caught = sum(share.value < LEAST_AGREEMENT for share in bad) / SEEDS
    title = "self-check {} {}, ".format(name, approximation)
    workload.report.ratio(title + "seeds whose interval holds the truth", inside, LEAST_INSIDE, judge=">=")
    workload.report.ratio(title + "seeds that catch moved labels", caught, 1.0, judge=">=")
    job = approximate.seconds - kept.seconds_of_comparing_all
    return [
        name,
        approximation,
        "{} of {}".format(approximate.agreement.tiles, approximate.agreement.of_tiles),
        "{:.3f}".format(100 * true),
        "{:.3f}".format(100 * np.mean([share.value for share in estimates])),
        _interval(estimates),
        "{:.2f}".format(approximate.agreement.seconds / (job - approximate.agreement.seconds)),
    ]


def _interval(shares: list[Share]) -> str:
    low, high = (100 * float(np.median([getattr(share, end) for share in shares])) for end in ("low", "high"))
    return "{:.2f} to {:.3f}".format(low, high)


# -- jobs --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Runs:
    model: str
    models_folder: Path
    volume: Volume

    def result(self, **options: object) -> SegmentationResult:
        task = model_task(self.model, self.models_folder, None, "cpu", JobOptions(runtime="openvino", **options))
        return segment(self.volume, prepare(task), EngineCache(), SilentReporter())


@contextmanager
def _reduced_precision() -> Iterator[None]:
    """A CPU without bfloat16 computes in it all the same, by PyTorch and slowly."""
    has_bf16 = runtimes.has_bf16
    runtimes.has_bf16 = lambda: True
    try:
        yield
    finally:
        runtimes.has_bf16 = has_bf16


# -- every tile --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _EveryTile:
    """What the check of a step would find in each tile of the exact run."""

    candidates: list[Candidate]
    counts: list[CellCounts]
    bad_counts: list[CellCounts]
    population: Population
    is_in_regions: bool
    seconds_of_comparing_all: float

    def estimate(self, counts: list[CellCounts], seed: str) -> Estimate:
        drawn = draw(self.candidates, tile_count(len(self.candidates), self.is_in_regions), seed)
        cells = [
            SampledCell(counts[each.number], each.probability, self.candidates[each.number].stratum) for each in drawn
        ]
        return estimated(cells, self.population)


@contextmanager
def _every_tile_compared() -> Iterator[list[_EveryTile]]:
    """What is compared in the jobs that run within; they check themselves as ever."""
    found: list[_EveryTile] = []
    original, compared = step_run.check_step, step_check.compared

    def checking(step, ct, runs, job):
        checked = original(step, ct, runs, job)
        if checked is None:
            return None
        begun, bad = time.monotonic(), []

        def comparing(exact, approximate, names):
            bad.append(compared(exact, np.roll(approximate, 1, axis=2), names))
            return compared(exact, approximate, names)

        step_check.compared = comparing
        checking = step_check.StepChecking(step, ct, runs, job, checked.approximations)
        tiles = checking.tiles()
        candidates, _foreground = checking.candidates(tiles)
        cells = checking.compared(tiles, [Drawn(number, 1.0) for number in range(len(tiles))])
        step_check.compared = compared
        seconds = time.monotonic() - begun
        is_in_regions = checked.approximations != (REDUCED,)
        counts = [cell.counts for cell in cells]
        found.append(_EveryTile(candidates, counts, bad, checked.population, is_in_regions, seconds))
        return checked

    step_run.check_step = checking
    try:
        yield found
    finally:
        step_run.check_step, step_check.compared = original, compared
