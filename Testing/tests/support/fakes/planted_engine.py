"""The real engine, whose networks find what a file says: a review can be shown of faults that are known.

Started like the engine, for every command. PLANTED_LABELS names a .npy file with labels uint8 (k, j, i) on the CT's
grid, in the label values of the model that is asked for. All else of a job is real: its checks, digests, statistics,
review and files.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "TotalSegmentatorModule"))

from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.labels.merging import found_structures
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics
from TotalSegmentatorWire.messages.segment import Stage

if TYPE_CHECKING:
    from TotalSegmentatorEngine.imaging.geometry import Volume
    from TotalSegmentatorEngine.job.reporting import Reporter
    from TotalSegmentatorEngine.job.task import PreparedTask


def segment(
    volume: Volume, prepared: PreparedTask, _cache: object, reporter: Reporter, _on_preview: object = None
) -> SegmentationResult:
    for stage in (Stage.RESAMPLING, Stage.PREDICTING, Stage.RESTORING, Stage.REVIEWING):
        reporter.progress(stage, 0.5)
    labels = np.load(os.environ["PLANTED_LABELS"])
    digested = with_digests(found_structures(labels, prepared.structures), [labels], volume.geometry)
    found = with_statistics(digested, [labels], volume, reporter.check_cancelled)
    found = [dataclasses.replace(each, model=prepared.models[0].model.id) for each in found]
    structures = [LabelledStructure(each.name, 0, each.label) for each in found]
    sought = [structure.name for structure in prepared.structures]
    flags = tuple(review(Findings([labels], structures, volume.geometry, volume, sought)))
    absent = sorted(set(sought) - {each.name for each in found})
    model, options = prepared.models[0].model, prepared.task.options
    profiles = {model.id: model.profile.id}
    return SegmentationResult(
        [labels], prepared.structures, found, absent, [model.id], profiles, "cpu", 1.0, options, flags
    )


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        from TotalSegmentatorEngine.pipeline import run_job
        from TotalSegmentatorEngine.worker.serve import main as serve

        run_job.segment, run_job.prefetch_weights = segment, lambda *_: None
        serve(sys.argv[2:])
    from TotalSegmentatorEngine.cli.main import main

    sys.exit(main(sys.argv[1:]))
