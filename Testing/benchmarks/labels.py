"""The same labels: every exact route against nnU-Net's own predictor and against TotalSegmentator's command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import our_engine
import peers
from agreement import Agreement, agreement
from speed import FOREGROUND_EQUAL, REDUCED, VOXELS_EQUAL, options_of, precisions
from workload import REPOSITORY, SHARED, Workload

DEMO_MODEL = REPOSITORY / "Testing" / "demo_model" / "Dataset900_PhantomDemo104"
NNUNET_STEP = 0.5
"""Of nnU-Net's own predictor, and of the profile under which the engine runs a folder that is no catalogue model."""


def routes() -> dict[str, list[str]]:
    """Arguments of each way to run a network in float32, by name; and reduced precision, where it can be had."""
    ways = {"eager": ["--runtime", "eager"], "openvino": ["--runtime", "openvino"]}
    if shutil.which("c++") or shutil.which("g++") or shutil.which("clang++"):
        ways["compiled"] = ["--runtime", "compiled"]
    exact = {name: [*arguments, *options_of("exact")] for name, arguments in ways.items()}
    return exact | ({REDUCED: options_of(REDUCED)} if REDUCED in precisions() else {})


def measure(workload: Workload) -> None:
    _fitted_model(workload)
    _against_nnunet(workload)
    _against_total_segmentator(workload)


def _fitted_model(workload: Workload) -> None:
    """A small model fitted to one real CT: its labels are anatomy. Where it is not on this machine, the demo model."""
    report = workload.report
    folder, ct = SHARED / "models" / "example_ct_104_3mm", SHARED / "data" / "example_ct" / "ct.nii.gz"
    name = "fitted"
    if not folder.is_dir() or workload.small:
        folder, ct, name = DEMO_MODEL, workload.ct(), "demo"
    folder = next(path.parent for path in folder.glob("*/plans.json"))
    reference = peers.nnunet_predictor(workload, folder, ct, "reference.nii.gz", NNUNET_STEP)
    report.say("  nnU-Net's predictor on the {} model: {:.1f} s".format(name, reference.seconds))
    rows = []
    for route, arguments in routes().items():
        run = our_engine.segment(workload, str(folder), ct, "{}.nii.gz".format(route), arguments)
        same = agreement(run.output, reference.output)
        rows.append([route, run.way, run.seconds, *_scores(same)])
        _judge_fitted(workload, "labels {} {}".format(name, route), same, route == REDUCED)
    report.table(["route", "ran as", "s", "voxels", "foreground", "labels 100+", "worst Dice", "mean Dice"], rows)


def _judge_fitted(workload: Workload, name: str, same: Agreement, is_reduced: bool) -> None:
    ratio = workload.report.ratio
    if is_reduced:
        ratio(name + ", mean Dice", same.mean(), 0.99, ">=")
        ratio(name + ", worst Dice of 1000+ voxels", same.worst(1000), 0.97, ">=")
    else:
        ratio(name + ", worst Dice of 100+ voxels", same.worst(100), 0.995, ">=")


def _against_nnunet(workload: Workload) -> None:
    """Seeded networks of published shape, run as plain model folders on a CT of a few tiles."""
    ct = workload.cropped_ct("few-tiles-3mm", (420.0, 300.0, 330.0))
    folder = next(path.parent for path in workload.models_folder.glob("Dataset297*/*/plans.json"))
    reference = peers.nnunet_predictor(workload, folder, ct, "reference.nii.gz", NNUNET_STEP)
    workload.report.say("  nnU-Net's predictor on 118 seeded labels: {:.1f} s".format(reference.seconds))
    _compare_routes(workload, "seeded", str(folder), ct, reference.output, routes())


def _against_total_segmentator(workload: Workload) -> None:
    """Five seeded part models, merged, from file to file."""
    ct = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    reference = peers.total_segmentator(workload, "117-1.5mm", ct, "reference.nii.gz")
    workload.report.say("  TotalSegmentator with five part models: {:.1f} s".format(reference.seconds))
    ways = {name: arguments for name, arguments in routes().items() if name in ("openvino", REDUCED)}
    _compare_routes(workload, "five parts", "117-1.5mm", ct, reference.output, ways)


def _compare_routes(
    workload: Workload, name: str, model: str, ct: Path, reference: Path, ways: dict[str, list[str]]
) -> None:
    rows, ratios = [], []
    for route, arguments in ways.items():
        run = our_engine.segment(workload, model, ct, "{}.nii.gz".format(route), arguments)
        same = agreement(run.output, reference)
        rows.append([route, run.way, run.seconds, *_scores(same)])
        ratios.append((route, same))
    heads = ["route", "ran as", "s", "voxels", "foreground", "labels 100+", "worst Dice", "mean Dice"]
    workload.report.table(heads, rows)
    for route, same in ratios:
        is_judged = route != REDUCED
        title = "labels {} {}".format(name, route)
        workload.report.ratio(title + ", equal voxels", same.voxels, VOXELS_EQUAL if is_judged else None, ">=")
        target = FOREGROUND_EQUAL if is_judged else None
        workload.report.ratio(title + ", equal foreground", same.foreground, target, ">=")


def _scores(same: Agreement) -> list[object]:
    return [
        "{:.5f}".format(same.voxels),
        "{:.5f}".format(same.foreground),
        same.count(100),
        "{:.4f}".format(same.worst(100)),
        "{:.4f}".format(same.mean()),
    ]
