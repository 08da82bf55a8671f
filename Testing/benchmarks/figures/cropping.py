"""``--crop body``: part models only where their structures can be, against the full run that it is to replace.

Fewer tiles, but they lie elsewhere, and instance norm sees other voxels. How far the labels agree is measured with
networks that know anatomy: small ones, fitted to a real CT or to the phantom, whose last layer is shared out among five
part networks. What it saves is counted with networks of published shape.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from seeded_models import dataset_json_of, names_of_part
from TotalSegmentatorWire.tables.catalogue import read_catalogue

from benchmarks.engine import our_engine
from benchmarks.engine.known_structures import KNOWN_LABELS_VARIABLE
from benchmarks.engine.our_engine import EngineRun
from benchmarks.figures.kidneys import COARSE_MODEL, MODEL
from benchmarks.figures.speed import COMPUTED_TILES, options_of, warm_up
from benchmarks.inputs import large_ct
from benchmarks.inputs.workload import DEMO_MODEL, SHARED, Workload
from benchmarks.measuring.agreement import agreement
from benchmarks.measuring.clocked_networks import ClockedRun
from benchmarks.measuring.report import median, spread

CROPPED = ["--crop", "body"]
FAMILY, COARSE = "104-1.5mm", "104-3mm"


def measure(workload: Workload) -> None:
    ct, labels = workload.whole_body()
    whole = (workload.slices(1000), workload.scan.columns, workload.scan.columns)
    coarse = large_ct.cropped_ct(workload.folder / "whole-body-coarse.nii", ct, whole, _every(workload))
    _agreement(workload, "demo", DEMO_MODEL, coarse)
    fitted, real = SHARED / "models" / "example_ct_104_3mm", SHARED / "data" / "example_ct" / "ct.nii.gz"
    if fitted.is_dir() and not workload.small:
        _agreement(workload, "fitted", fitted, real)
    _saving(workload, ct, labels)


def _every(workload: Workload) -> tuple[int, int, int]:
    """Voxels of about 4 mm, those of the demo model."""
    return (1, 1, 1) if workload.small else (3, 5, 5)


# -- labels ------------------------------------------------------------------------------------------------------------


def _agreement(workload: Workload, name: str, dataset_folder: Path, ct: Path) -> None:
    source = next(path.parent for path in dataset_folder.glob("*/plans.json"))
    models = family_of(source, workload.folder / "models-{}-family".format(name))
    runs: dict[str, EngineRun] = {}
    for region, more in (("full", []), ("cropped", CROPPED)):
        arguments = [*options_of("exact"), *more]
        runs[region] = our_engine.segment(workload, FAMILY, ct, region + ".nii.gz", arguments, models_folder=models)
    rows = [[region, _tiles(run), run.seconds, _warnings(run)] for region, run in runs.items()]
    workload.report.table(["{} networks, {}".format(name, ct.name), "tiles", "s", "warnings"], rows)
    same = agreement(runs["cropped"].output, runs["full"].output)
    ratio, title = workload.report.ratio, "cropping {} cropped against full, ".format(name)
    ratio(title + "tiles", _tiles(runs["cropped"]) / _tiles(runs["full"]))
    ratio(title + "equal voxels", same.voxels, judge=">=")
    ratio(title + "equal foreground", same.foreground, judge=">=")
    ratio(title + "mean Dice", same.mean(), judge=">=")
    ratio(title + "worst Dice of 1000+ voxels", same.worst(1000), judge=">=")


def family_of(folder: Path, models: Path) -> Path:
    """A models folder in which one fitted network is the coarse model of the family of 104 structures, and in which
    each of its five parts is the same network with the last layer's rows of that part's structures."""
    for model in (read_catalogue()[COARSE], read_catalogue()[FAMILY]):
        for part, path in zip(model.parts, model.part_folders(models), strict=True):
            if not any(path.glob("fold_0/*.pth")):
                _share_out(folder, path, names_of_part(model, part.name))
    return models


def _share_out(folder: Path, part: Path, names: list[str]) -> None:
    shutil.copytree(folder, part, dirs_exist_ok=True)
    known = json.loads((part / "dataset.json").read_text(encoding="utf-8"))
    rows = [0, *(int(known["labels"][name]) for name in names)]
    (part / "dataset.json").write_text(json.dumps(known | dataset_json_of(names)), encoding="utf-8")
    for checkpoint in part.glob("fold_*/*.pth"):
        content = torch.load(checkpoint, map_location="cpu", weights_only=False)
        weights = content["network_weights"]
        for key in [key for key in weights if ".seg_layers." in key]:
            weights[key] = weights[key][rows].clone()
        torch.save(content, checkpoint)


def _tiles(run: EngineRun) -> int:
    """Those that ran, again in a widened region, too."""
    return max(event["tile"] for event in run.of_kind("progress"))


def _warnings(run: EngineRun) -> str:
    return ", ".join(warning["problem"]["code"] for warning in run.of_kind("warning")) or "-"


# -- time --------------------------------------------------------------------------------------------------------------


def _saving(workload: Workload, ct: Path, labels: Path) -> None:
    """A whole body of 512 x 512 x 1000 at 1.5 mm; of each network only the first tiles are computed. The phantom's own
    labels say where the structures are."""
    report = workload.report
    for model in (COARSE_MODEL, MODEL):
        warm_up(workload, model, "exact")
    clocks: dict[str, list[ClockedRun]] = {"full": [], "cropped": []}
    for _ in range(workload.repeat):
        for region, more in (("full", []), ("cropped", CROPPED)):
            run = our_engine.segment(
                workload,
                MODEL,
                ct,
                "saving.nii.gz",
                [*options_of("exact"), *more],
                clocked=True,
                tiles_per_network=COMPUTED_TILES,
                changes={KNOWN_LABELS_VARIABLE: str(labels)},
            )
            report.say("  whole body, {} ({}): {}".format(region, run.runtime, run.clock.arithmetic()))
            clocks[region].append(run.clock)
    rows = [[region, runs[-1].tiles, spread([run.seconds for run in runs])] for region, runs in clocks.items()]
    report.table(["whole body, networks of published shape", "tiles", "s"], rows)
    full, cropped = (median([run.seconds for run in clocks[region]]) for region in ("full", "cropped"))
    report.ratio("cropping whole body, time of the full run", cropped / full)
