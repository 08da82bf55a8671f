"""Ten CTs by the command ``batch``: against ten single commands, against TotalSegmentator in a loop, and by two
processes that share a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.engine import our_engine
from benchmarks.engine.batch_run import MODEL, batch, batches_at_once, done_folders, new_output
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.processor_clock import ProcessorClock
from benchmarks.measuring.report import GB, median
from benchmarks.peers import peer_runs

COUNT = 10
PEER_RUNS = 2
REVIEWED_RUNS = 2
OF_SINGLE, OF_PEER = 0.75, 0.3


@dataclass(frozen=True)
class _Spent:
    """Of some programs, one after the other."""

    seconds: float
    processor_seconds: float

    def __add__(self, other: _Spent) -> _Spent:
        return _Spent(self.seconds + other.seconds, self.processor_seconds + other.processor_seconds)

    def times(self, factor: float) -> _Spent:
        return _Spent(factor * self.seconds, factor * self.processor_seconds)


def measure(workload: Workload) -> None:
    """Interleaved: half of the single commands, ``batch``, the other half; then the peer."""
    report, cts = workload.report, workload.cohort(COUNT)
    report.say("first use on this machine: its trial of runtimes is not timed")
    _singles(workload, cts[:1])
    shares, of_peer, rows = [], [], []
    for _ in range(workload.repeat):
        half = len(cts) // 2
        before = _singles(workload, cts[:half])
        ours, peak = _batch(workload, cts)
        single = before + _singles(workload, cts[half:])
        reviewed = _singles(workload, cts[:REVIEWED_RUNS], ["--review"]).times(len(cts) / REVIEWED_RUNS)
        peer = _peer(workload, cts[:PEER_RUNS]).times(len(cts) / PEER_RUNS)
        programs = {
            "batch": ours,
            "ten single commands": single,
            f"the same with --review, {REVIEWED_RUNS} scaled": reviewed,
            f"TotalSegmentator --fast, {PEER_RUNS} scaled": peer,
        }
        rows = [[name, spent.seconds, spent.processor_seconds] for name, spent in programs.items()]
        report.table([f"{len(cts)} CTs", "s", "s of the processors"], rows)
        report.say("  peak memory of batch {:.2f} GB".format(peak / GB))
        shares.append([ours.seconds / other.seconds for other in (single, reviewed)])
        shares[-1] += [ours.processor_seconds / other.processor_seconds for other in (single, reviewed)]
        of_peer.append((ours.seconds / peer.seconds, ours.processor_seconds / peer.processor_seconds))
    singly, review, processor, processor_review = (median(values) for values in zip(*shares, strict=True))
    report.ratio("batch against single commands", singly, OF_SINGLE)
    report.ratio("batch against single commands, processor time", processor)
    report.ratio("batch against single commands with --review", review)
    report.ratio("batch against single commands with --review, processor time", processor_review)
    report.ratio("batch against TotalSegmentator in a loop", median([each[0] for each in of_peer]), OF_PEER)
    report.ratio("batch against TotalSegmentator in a loop, processor time", median([each[1] for each in of_peer]))
    _share(workload, cts)


def _singles(workload: Workload, cts: Sequence[Path], options: Sequence[str] = ()) -> _Spent:
    clock, total = ProcessorClock(), 0.0
    for ct in cts:
        models = workload.tissue_models_folder
        run = our_engine.segment(workload, MODEL, ct, "single.seg.nrrd", options, models_folder=models)
        total += run.seconds
    return _Spent(total, clock.read()[0])


def _batch(workload: Workload, cts: Sequence[Path]) -> tuple[_Spent, int]:
    clock = ProcessorClock()
    run = batch(workload, cts, new_output(workload, "cohort"))
    if run.segmented != len(cts):
        raise RuntimeError("batch has not done all CTs:\n{}".format(run.process.tail()))
    return _Spent(run.seconds, clock.read()[0]), run.process.peak_bytes


def _peer(workload: Workload, cts: Sequence[Path]) -> _Spent:
    clock, total = ProcessorClock(), 0.0
    for ct in cts:
        models = workload.tissue_models_folder
        total += peer_runs.total_segmentator(workload, MODEL, ct, "peer.nii.gz", models_folder=models).seconds
    return _Spent(total, clock.read()[0])


def _share(workload: Workload, cts: Sequence[Path]) -> None:
    """Two that have a share each, then two that want all: each CT is done once."""
    for name, options in {"two shards": [["--shard", "1/2"], ["--shard", "2/2"]], "two of all": [[], []]}.items():
        output = new_output(workload, "shared-cohort")
        runs = batches_at_once(workload, cts, output, options)
        done = len(done_folders(output))
        report = workload.report
        report.say("  {}: {} segmented, {} records".format(name, [run.segmented for run in runs], done))
        report.ratio(f"{name} on one folder, CTs segmented", sum(run.segmented for run in runs) / len(cts), 1.0)
        report.ratio(f"{name} on one folder, CTs with a record", done / len(cts), 1.0, ">=")
