"""Few structures: two kidneys in a whole body, against all structures of the same CT.

Both networks that such a job runs are of published shape and really run: the coarse one over the whole body, then the
organs' one around the kidneys. Seeded weights find noise, so the phantom's own labels say where the kidneys are; that
the engine finds the region by itself, and widens it, is a matter of tests with the demo model.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.engine.known_structures import KNOWN_LABELS_VARIABLE
from benchmarks.engine.our_engine import EngineRun
from benchmarks.figures.speed import COMPUTED_TILES, options_of, warm_up
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import median, spread
from benchmarks.measuring.timed_process import ProgramError

MODEL, COARSE_MODEL = "117-1.5mm", "117-6mm"
KIDNEYS = ["--structures", "kidney_left,kidney_right"]
NETWORKS = ("Dataset298", "Dataset291")
"""The family's coarsest network, and the one that knows the kidneys."""
LARGEST_SHARE = 0.10


def measure(workload: Workload) -> None:
    """512 x 512 x 1000 voxels of 0.8 x 0.8 x 1.5 mm at 1.5 mm. Of the full run's networks only the first tiles are
    computed, the others are scaled; of the kidneys' every tile is."""
    report = workload.report
    ct, labels = workload.whole_body()
    for model in (COARSE_MODEL, MODEL):
        warm_up(workload, model, "exact")
    full_seconds, few_seconds, few = [], [], None
    for _ in range(workload.repeat):
        full = our_engine.segment(
            workload, MODEL, ct, "full.nii.gz", options_of("exact"), clocked=True, tiles_per_network=COMPUTED_TILES
        )
        report.say("  all structures ({}): {}".format(full.runtime, full.clock.arithmetic()))
        few = _kidneys(workload, ct, labels)
        report.say("  two kidneys ({}): {}".format(few.runtime, few.clock.arithmetic()))
        full_seconds.append(full.clock.seconds)
        few_seconds.append(few.seconds)
    _show_passes(workload, few)
    share = median(few_seconds) / median(full_seconds)
    rows = [["all structures", spread(full_seconds), "1.00 x"], ["two kidneys", spread(few_seconds), _times(share)]]
    report.table(["run", "seconds", "of the full run"], rows)
    report.ratio("kidneys of the full run", share, LARGEST_SHARE)


def _kidneys(workload: Workload, ct: Path, labels: Path) -> EngineRun:
    """Raises ProgramError unless exactly the two networks ran, the second over a part of the image."""
    run = our_engine.segment(
        workload,
        MODEL,
        ct,
        "kidneys.nii.gz",
        [*options_of("exact"), *KIDNEYS],
        clocked=True,
        changes={KNOWN_LABELS_VARIABLE: str(labels)},
    )
    ran = tuple(network.name.split("_")[0] for network in run.clock.networks)
    planned = run.of_kind("plan")[-1]["plan"]["passes"]
    if ran != NETWORKS or not planned[-1]["is_cropped"]:
        raise ProgramError("the kidneys' job ran {} with the passes {}".format(ran, planned))
    return run


def _show_passes(workload: Workload, run: EngineRun) -> None:
    planned = run.of_kind("plan")[-1]["plan"]["passes"]
    rows = [
        [one["part"].split("_")[0], one["purpose"], " x ".join(map(str, one["shape"])), network.tiles, network.seconds]
        for one, network in zip(planned, run.clock.networks, strict=True)
    ]
    workload.report.table(["network of the kidneys' job", "purpose", "voxels", "tiles", "s"], rows)
    for warning in run.of_kind("warning"):
        workload.report.say("  warning {}".format(warning["problem"]["code"]))


def _times(share: float) -> str:
    return "{:.3f} x".format(share)
