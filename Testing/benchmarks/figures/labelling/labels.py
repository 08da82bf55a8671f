"""The same labels: every exact route against nnU-Net's own predictor and against TotalSegmentator's command line."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorWire.messages.plan import SUMS_IN_HALF, SUMS_ON_DISK

from benchmarks.engine import our_engine
from benchmarks.engine.measured_engine import STRATEGY_VARIABLE
from benchmarks.figures.speed import REDUCED, options_of, precisions, report_agreement
from benchmarks.inputs.workload import DEMO_MODEL, SHARED, Workload
from benchmarks.measuring.agreement import Agreement, agreement
from benchmarks.peers import peer_runs
from benchmarks.peers.peer_runs import PeerRun

NNUNET = ["--profile", "nnunet"]
NNUNET_STEP = 0.5
"""Of nnU-Net's own predictor, and of the profile "nnunet"."""


@dataclass(frozen=True)
class Route:
    """One way to run a network. Every one of them adds up tiles in slabs and overlaps reading, networks and writing."""

    arguments: list[str]
    changes: dict[str, str] = field(default_factory=dict)
    """Variables of measured_engine.py."""
    is_exact: bool = True


def routes() -> dict[str, Route]:
    """The runtimes one at a time, then what a plan does where memory is short together with the first of them, and
    reduced precision, where it can be had."""
    exact = options_of("exact")
    ways = {name: Route(["--runtime", name, *exact]) for name in ("openvino", "eager")}
    if shutil.which("c++") or shutil.which("g++") or shutil.which("clang++"):
        ways["compiled"] = Route(["--runtime", "compiled", *exact])
    for place in (SUMS_IN_HALF, SUMS_ON_DISK):
        ways["openvino, sums in {}".format(place)] = Route(ways["openvino"].arguments, {STRATEGY_VARIABLE: place})
    if REDUCED in precisions():
        ways[REDUCED] = Route(options_of(REDUCED), is_exact=False)
    return ways


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
    reference = peer_runs.nnunet_predictor(workload, folder, ct, "reference.nii.gz", NNUNET_STEP)
    report.say("  nnU-Net's predictor on the {} model: {:.1f} s".format(name, reference.seconds))
    ways = routes()
    for route, same in _compared(workload, str(folder), ct, {"": reference}, ways, NNUNET)[""].items():
        _judge_fitted(workload, "labels {} {}".format(name, route), same, ways[route].is_exact)


def _judge_fitted(workload: Workload, name: str, same: Agreement, is_exact: bool) -> None:
    ratio = workload.report.ratio
    if is_exact:
        ratio(name + ", worst Dice of 100+ voxels", same.worst(100), 0.995, ">=")
    else:
        ratio(name + ", mean Dice", same.mean(), 0.99, ">=")
        ratio(name + ", worst Dice of 1000+ voxels", same.worst(1000), 0.97, ">=")


def _against_nnunet(workload: Workload) -> None:
    """Seeded networks of published shape, run as plain model folders on a CT of a few tiles. Its voxels are coarse:
    nnU-Net brings every label's logits to the CT's grid."""
    ct = workload.cropped_ct("few-tiles-coarse", (420.0, 300.0, 330.0), is_coarse=True)
    folder = next(path.parent for path in workload.models_folder.glob("Dataset297*/*/plans.json"))
    references = {
        title: peer_runs.nnunet_predictor(workload, folder, ct, output, NNUNET_STEP, is_float32)
        for title, (output, is_float32) in _REFERENCES.items()
    }
    workload.report.say("  nnU-Net's predictor on 118 seeded labels: {}".format(_seconds(references)))
    _judge_seeded(workload, "seeded", str(folder), ct, references, routes(), NNUNET)


def _against_total_segmentator(workload: Workload) -> None:
    """Five seeded part models, merged, from file to file."""
    ct = workload.cropped_ct("few-tiles-1.5mm", (225.0, 180.0, 180.0))
    references = {
        title: peer_runs.total_segmentator(workload, "117-1.5mm", ct, output, float32_sums=is_float32)
        for title, (output, is_float32) in _REFERENCES.items()
    }
    workload.report.say("  TotalSegmentator with five part models: {}".format(_seconds(references)))
    ways = {name: route for name, route in routes().items() if name != "compiled"}  # five networks to compile
    _judge_seeded(workload, "five parts", "117-1.5mm", ct, references, ways)


_REFERENCES = {"": ("reference.nii.gz", False), " (peer sums in float32)": ("reference-float32.nii.gz", True)}
"""The peer as it is; and with float32 sums, which tells what of a difference comes from its rounding to float16."""


def _seconds(references: dict[str, PeerRun]) -> str:
    return ", ".join("{:.1f} s{}".format(run.seconds, title) for title, run in references.items())


def _judge_seeded(
    workload: Workload,
    name: str,
    model: str,
    ct: Path,
    references: dict[str, PeerRun],
    ways: dict[str, Route],
    more: Sequence[str] = (),
) -> None:
    for title, found in _compared(workload, model, ct, references, ways, more).items():
        for route, same in found.items():
            report_agreement(workload, "labels {} {}{}".format(name, route, title), same, ways[route].is_exact)


def _compared(
    workload: Workload,
    model: str,
    ct: Path,
    references: dict[str, PeerRun],
    ways: dict[str, Route],
    more: Sequence[str] = (),
) -> dict[str, dict[str, Agreement]]:
    """Runs each way and prints how far its labels are each reference's; by title of the reference and name of the
    way."""
    found: dict[str, dict[str, Agreement]] = {title: {} for title in references}
    rows = []
    for name, route in ways.items():
        arguments = [*route.arguments, *more]
        run = our_engine.segment(workload, model, ct, "labels.nii.gz", arguments, changes=route.changes)
        for title, reference in references.items():
            same = found[title][name] = agreement(run.output, reference.output)
            rows.append(
                [
                    name + title,
                    run.runtime,
                    run.seconds,
                    "{:.5f}".format(same.voxels),
                    "{:.5f}".format(same.foreground),
                    same.count(100),
                    "{:.4f}".format(same.worst(100)),
                    "{:.4f}".format(same.mean()),
                ]
            )
    heads = ["route", "ran as", "s", "voxels", "foreground", "labels 100+", "worst Dice", "mean Dice"]
    workload.report.table(heads, rows)
    return found
