"""From the click to the preview of a job at 1.5 mm, against the job at 3 mm alone from the click to its labels.

Both in one resident worker that holds the CT and the network of 3 mm, in turns, as somebody meets them who segments one
CT again; the rest of the fine job is cancelled. The job at 3 mm alone is reviewed, as the panel's are; a preview is
not.
"""

from __future__ import annotations

import numpy as np
from TotalSegmentatorWire.messages.options import JobOptions

from benchmarks.engine.our_engine import ResidentWorker, SceneCt, resident_worker
from benchmarks.inputs.workload import Workload
from benchmarks.measuring.report import median, spread

FINE, FAST = "117-1.5mm", "117-3mm"
LARGEST = 1.2
_EXACT = {"runtime": "auto", "precision": "exact"}


def measure(workload: Workload) -> None:
    """512 x 512 x 300 voxels of 0.8 x 0.8 x 1.5 mm."""
    ct = SceneCt(workload.ct())
    with resident_worker(workload, models_folder=workload.preview_models_folder) as worker:
        worker.job(FAST, ct, JobOptions(**_EXACT))  # loads the network, tries the runtimes, sends the CT
        pairs = [_pair(worker, ct, number) for number in range(workload.repeat)]
    alone, preview = ([pair[place][0] for pair in pairs] for place in (0, 1))
    workload.report.table(["what", "seconds"], [["3 mm alone", spread(alone)], ["preview of 1.5 mm", spread(preview)]])
    same = [float(np.mean(pair[0][1] == pair[1][1])) for pair in pairs]
    workload.report.ratio("preview, voxels with the label of the job at 3 mm", min(same), 1.0, ">=")
    ratios = [second / first for first, second in zip(alone, preview, strict=True)]
    workload.report.ratio("preview, time until it is there of the job at 3 mm alone", median(ratios), LARGEST)


def _pair(worker: ResidentWorker, ct: SceneCt, number: int) -> list[tuple[float, np.ndarray]]:
    """Seconds and labels of the job at 3 mm and of the preview; every other pair begins with the preview."""
    order = (FAST, FINE) if number % 2 == 0 else (FINE, FAST)
    measured = {}
    for model in order:
        if model == FAST:
            done = worker.job(FAST, ct, JobOptions(**_EXACT))
        else:
            done = worker.preview(FINE, ct, JobOptions(**_EXACT, preview=True))
        worker.workload.report.say("  {}: {:.1f} s".format(model, done.seconds))
        measured[model] = (done.seconds, done.labels)
    return [measured[FAST], measured[FINE]]
