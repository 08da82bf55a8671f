"""Wall time against TotalSegmentator's command line: a job at 3 mm, and one at 1.5 mm with five part models."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from TotalSegmentatorEngine.machine.cpu_features import has_bf16
from TotalSegmentatorWire.messages.options import JobOptions

from benchmarks.engine import our_engine
from benchmarks.engine.our_engine import SceneCt
from benchmarks.inputs.workload import SHARED, Workload
from benchmarks.measuring.agreement import Agreement, agreement
from benchmarks.measuring.image_files import compressed
from benchmarks.measuring.report import GB, median, spread
from benchmarks.measuring.spent_time import Pairs, Spent
from benchmarks.peers import peer_runs

EXACT, REDUCED = "exact", "reduced"
PEER = "TotalSegmentator"
FIRST, SECOND, OTHER_CT = "first job, ", "second job, ", "another CT in the worker, "
RESULT_3MM = "3mm-{}.nii.gz"
NO_REDUCED = "reduced precision: not run, this CPU does not compute with bfloat16"
VOXELS_EQUAL, FOREGROUND_EQUAL = 0.999, 0.997
COMPUTED_TILES = 3
"""Of each part model at 1.5 mm: the first, and two for the pace."""


def precisions() -> list[str]:
    return [EXACT, REDUCED] if has_bf16() else [EXACT]


def options_of(precision: str) -> list[str]:
    return ["--precision", precision]


@dataclass
class _Times:
    """What was run took, by name; one value a repetition."""

    spent: dict[str, list[Spent]] = field(default_factory=dict)

    def add(self, name: str, spent: Spent) -> None:
        self.spent.setdefault(name, []).append(spent)

    def pairs(self, name: str) -> Pairs:
        """With the peer's runs. What ran before and after each of these counts with its mean."""
        mine, peers = self.spent[name], self.spent[PEER]
        if len(mine) == 2 * len(peers):
            mine = [_mean(*mine[n : n + 2]) for n in range(0, len(mine), 2)]
        return Pairs(mine, peers)

    def rows(self) -> list[list[object]]:
        return [
            [name, spread([each.elapsed for each in spent]), "{:.2f} x".format(self.pairs(name).ratio)]
            for name, spent in self.spent.items()
        ]


def _mean(before: Spent, after: Spent) -> Spent:
    user = None if before.user is None or after.user is None else (before.user + after.user) / 2
    return Spent((before.elapsed + after.elapsed) / 2, user)


# -- 3 mm --------------------------------------------------------------------------------------------------------------


def measure_3mm(workload: Workload) -> None:
    """A chest and abdomen of 512 x 512 x 300 voxels: as .nii.gz from cold starts, and in a resident worker with the
    voxels as the panel sends them, for the second job on a CT and for the first on another CT.

    Quick: half as many slices, in exact precision, without the other CT and the peer's sums in float32.
    """
    report, model, models = workload.report, "117-3mm", workload.tissue_models_folder
    wanted = [EXACT] if workload.quick else precisions()
    raw = workload.ct(150 if workload.quick else 300)
    ct, scene_ct = compressed(raw), SceneCt(raw)
    times, results = _Times(), {}
    for precision in wanted:
        report.say("first use on this machine ({}): its trial of runtimes is not timed".format(precision))
        warm_up(workload, model, precision, models)
    with our_engine.resident_worker(workload) as worker:
        for precision in wanted:
            worker.job(model, scene_ct, JobOptions(precision=precision))
        for _ in range(workload.repeat):
            peer = peer_runs.total_segmentator(workload, model, ct, "peer-3mm.nii.gz", models_folder=models)
            report.say("  {} {:.1f} s, of these {}".format(PEER, peer.seconds, _in_words(peer.stages())))
            times.add(PEER, peer.spent)
            for precision in wanted:
                output = RESULT_3MM.format(precision)
                cold = our_engine.segment(workload, model, ct, output, options_of(precision), models_folder=models)
                if not workload.quick:
                    scene_ct.edit(lambda array: None)  # for the worker another CT: it is sent and prepared again
                    times.add(OTHER_CT + precision, worker.job(model, scene_ct, JobOptions(precision=precision)).spent)
                second = worker.job(model, scene_ct, JobOptions(precision=precision))
                times.add(FIRST + precision, cold.spent)
                times.add(SECOND + precision, second.spent)
                results[FIRST + precision] = agreement(cold.output, peer.output)
                results[SECOND + precision] = agreement(second.labels, peer.output)
                report.say(
                    "  {} ({}) first job {:.1f} s; in the worker the second {:.1f} s".format(
                        precision, cold.runtime, cold.seconds, second.seconds
                    )
                )
    report.table(["run", "seconds", "of the peer"], times.rows())
    report.pairs("3mm first job exact", times.pairs(FIRST + EXACT), 0.42)
    report.pairs("3mm second job exact", times.pairs(SECOND + EXACT), 0.33)
    if REDUCED in wanted:
        report.pairs("3mm first job reduced", times.pairs(FIRST + REDUCED))
        report.pairs("3mm second job reduced", times.pairs(SECOND + REDUCED), 0.21)
    elif not workload.quick:
        report.say(NO_REDUCED)
    for run, same in results.items():
        report_agreement(workload, "3mm labels of the " + run, same, run.endswith(EXACT))
    if workload.quick:
        return
    report.pairs("3mm another CT in the worker exact", times.pairs(OTHER_CT + EXACT))
    # how much of a difference comes from the peer's own rounding: see peer_program.add_up_in_float32
    precise = peer_runs.total_segmentator(
        workload, model, ct, "peer-3mm-float32.nii.gz", float32_sums=True, models_folder=models
    )
    same = agreement(workload.folder / "results" / RESULT_3MM.format(EXACT), precise.output)
    report_agreement(workload, "3mm labels of the {}{} (peer sums in float32)".format(FIRST, EXACT), same, True)


def report_agreement(workload: Workload, name: str, same: Agreement, is_exact: bool) -> None:
    ratio = workload.report.ratio
    ratio(name + ", equal voxels", same.voxels, VOXELS_EQUAL if is_exact else None, ">=")
    ratio(name + ", equal foreground", same.foreground, FOREGROUND_EQUAL if is_exact else None, ">=")


def _in_words(stages: dict[str, float]) -> str:
    return ", ".join("{} {:.1f}".format(name, seconds) for name, seconds in stages.items())


# -- 1.5 mm ------------------------------------------------------------------------------------------------------------


def measure_full(workload: Workload) -> None:
    """The same CT with five part models. All of both programs runs, but of each network only the first tiles are
    computed; the others are scaled."""
    report, model = workload.report, "117-1.5mm"
    ct = compressed(workload.ct())
    times, outside = _Times(), []
    for precision in precisions():
        warm_up(workload, model, precision)

    def run_ours() -> None:
        for precision in precisions():
            arguments = options_of(precision)
            run = our_engine.segment(
                workload, model, ct, "full.nii.gz", arguments, clocked=True, tiles_per_network=COMPUTED_TILES
            )
            report.say("  {} ({}): {}".format(precision, run.runtime, run.clock.arithmetic()))
            times.add(precision, Spent(run.clock.seconds))
            if precision == EXACT:
                outside.append(run.clock.outside_seconds / run.clock.seconds)

    for _ in range(workload.repeat):
        run_ours()  # before the peer and after it: a machine that others use, too, is not always equally fast
        peer = peer_runs.total_segmentator(
            workload, model, ct, "peer.nii.gz", clocked=True, tiles_per_network=COMPUTED_TILES
        )
        report.say("  {}: {}".format(PEER, peer.clock.arithmetic()))
        times.add(PEER, Spent(peer.clock.seconds))
        run_ours()
    report.table(["run", "seconds", "of the peer"], times.rows())
    report.pairs("1.5mm exact", times.pairs(EXACT), 0.40)
    if REDUCED in times.spent:
        report.pairs("1.5mm reduced", times.pairs(REDUCED), 0.22)
    else:
        report.say(NO_REDUCED)
    report.ratio("1.5mm exact outside the networks, .nii.gz", median(outside))


def warm_up(workload: Workload, model: str, precision: str, models_folder: Path | None = None) -> None:
    """The trial of runtimes, which a user's machine makes once, is not timed: a CT of one tile."""
    ct = workload.cropped_ct("one-tile", (150.0, 150.0, 150.0))
    our_engine.segment(workload, model, ct, "warm-up.nii.gz", options_of(precision), models_folder=models_folder)


def measure_full_example(workload: Workload) -> None:
    """A whole run of both at 1.5 mm, no tile left out, on a real CT of 366 x 303 x 336 mm, or on as large a phantom
    where the real one is not on this machine."""
    report, model = workload.report, "117-1.5mm"
    ct = example_ct(workload)
    peer = peer_runs.total_segmentator(workload, model, ct, "peer.nii.gz")
    times = _Times({PEER: [peer.spent]})
    report.say("  {} {:.1f} s, of these {}".format(PEER, peer.seconds, _in_words(peer.stages())))
    for precision, target in zip(precisions(), (0.40, 0.22), strict=False):
        warm_up(workload, model, precision)
        run = our_engine.segment(workload, model, ct, "full.nii.gz", options_of(precision))
        times.add(precision, run.spent)
        report.say(
            "  {} ({}) {:.1f} s, peak {:.2f} GB".format(
                precision, run.runtime, run.seconds, run.process.peak_bytes / GB
            )
        )
        name = "1.5mm whole run {}".format(precision)
        report.pairs(name, times.pairs(precision), target)
        report_agreement(workload, name, agreement(run.output, peer.output), precision == EXACT)
    report.table(["run", "seconds", "of the peer"], times.rows())


def example_ct(workload: Workload) -> Path:
    """A real CT where it lies beside the checkout."""
    path = SHARED / "data" / "example_ct" / "ct.nii.gz"
    if path.is_file() and not workload.small:
        return path
    return workload.cropped_ct("as-large-as-the-example", (336.0, 303.0, 366.0))
