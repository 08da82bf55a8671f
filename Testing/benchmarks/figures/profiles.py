"""The family of 104 structures, which no peer of today runs, under its published pipeline and under the default one."""

from __future__ import annotations

from TotalSegmentatorWire.tables.catalogue import read_catalogue

from benchmarks.engine import our_engine
from benchmarks.engine.our_engine import EngineRun
from benchmarks.figures.speed import COMPUTED_TILES, options_of
from benchmarks.inputs.workload import SHARED, Workload
from benchmarks.measuring.agreement import agreement
from benchmarks.measuring.image_files import compressed
from benchmarks.measuring.report import median, spread

MODELS = {"104-3mm": 0, "104-1.5mm": COMPUTED_TILES}
"""How many tiles of each network are computed; 0: all."""


def measure(workload: Workload) -> None:
    """Times on the chest and abdomen of the other benchmarks with seeded weights; labels on the CT that one small
    model is fitted to, where it lies beside the checkout."""
    for model in MODELS:
        _times(workload, model)
    _labels(workload)


def _profiles(model: str) -> dict[str, str]:
    entry = read_catalogue()[model]
    return {"as published": entry.published_profile, "default": entry.profile}


def _times(workload: Workload, model: str) -> None:
    report, ct = workload.report, compressed(workload.ct())
    seconds: dict[str, list[float]] = {}
    our_engine.segment(  # the trial of runtimes is not timed
        workload,
        model,
        workload.cropped_ct("one-tile", (150.0, 150.0, 150.0)),
        "warm-up.nii.gz",
        options_of("exact"),
        models_folder=workload.models_104_folder,
    )
    tiles = {}
    for _ in range(workload.repeat):
        for name, profile in _profiles(model).items():
            run = _clocked(workload, model, profile, ct)
            report.say("  {} {} ({}): {}".format(model, name, run.runtime, run.clock.arithmetic()))
            seconds.setdefault(name, []).append(run.clock.seconds)
            tiles[name] = run.clock.tiles
    rows = [[name, profile, tiles[name], spread(seconds[name])] for name, profile in _profiles(model).items()]
    report.table([model, "profile", "tiles", "s"], rows)
    share = median(seconds["default"]) / median(seconds["as published"])
    report.ratio("profiles {} default, of as published".format(model), share)


def _clocked(workload: Workload, model: str, profile: str, ct: object) -> EngineRun:
    return our_engine.segment(
        workload,
        model,
        ct,
        "104.nii.gz",
        [*options_of("exact"), "--profile", profile],
        clocked=True,
        tiles_per_network=MODELS[model],
        models_folder=workload.models_104_folder,
    )


def _labels(workload: Workload) -> None:
    report = workload.report
    folder, data = SHARED / "models" / "example_ct_104_3mm", SHARED / "data" / "example_ct"
    if not folder.is_dir() or workload.small:
        report.say("labels under both profiles: not run, the fitted model and its CT are not beside the checkout")
        return
    folder = next(path.parent for path in folder.glob("*/plans.json"))
    rows, runs = [], {}
    for name, profile in _profiles("104-3mm").items():
        arguments = [*options_of("exact"), "--profile", profile]
        runs[name] = our_engine.segment(
            workload, str(folder), data / "ct.nii.gz", "104 {}.nii.gz".format(name), arguments
        )
        same = agreement(runs[name].output, next(data.glob("*reference_104_1.5mm*")))
        rows.append([name, runs[name].seconds, "{:.4f}".format(same.mean()), "{:.4f}".format(same.worst(100))])
    report.table(["fitted model", "s", "mean Dice to the reference", "worst of 100+ voxels"], rows)
    both = agreement(runs["default"].output, runs["as published"].output)
    report.ratio("profiles fitted default, mean Dice to as published", both.mean(), judge=">=")
    report.ratio("profiles fitted default, worst Dice of 100+ voxels to as published", both.worst(100), judge=">=")
