"""The real engine, whose models find what files say: a job of several models whose result is known.

Started like the engine, for every command. PLANTED_FOLDER holds a file MODEL.npy for models of the catalogue: labels
uint8 (k, j, i) on the CT's grid, numbered as the model numbers its structures. A model without a file finds nothing.
No network runs. All else of a job is real: its plan, the layers, digests, statistics, review and files.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[4] / "TotalSegmentatorModule"))

from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.labels.layers import Layers
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.review.all_rules import review
from TotalSegmentatorEngine.review.measures.findings import Findings, LabelledStructure
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage

if TYPE_CHECKING:
    from TotalSegmentatorEngine.imaging.geometry import Volume
    from TotalSegmentatorEngine.job.prepared_model import PreparedModel
    from TotalSegmentatorEngine.job.reporting import Reporter
    from TotalSegmentatorEngine.job.task import PreparedTask
    from TotalSegmentatorEngine.pipeline.cache import EngineCache

_SECONDS_A_MODEL = 0.5
"""So that somebody can look at the job while it runs."""


def segment(
    volume: Volume, prepared: PreparedTask, cache: EngineCache, reporter: Reporter, on_preview: object = None
) -> SegmentationResult:
    started = time.monotonic()
    planned = run_job.plan(volume, prepared, cache)
    reporter.plan(planned)
    layers, found = Layers(volume.geometry.shape, reporter.check_cancelled), []
    for number, model in enumerate(prepared.models, start=1):
        share = number / len(prepared.models)
        reporter.progress(Stage.PREDICTING, share, round(share * planned.tiles), planned.tiles)
        found += _added(layers, _planted(model, volume.geometry.shape), model)
        time.sleep(_SECONDS_A_MODEL)
    reporter.progress(Stage.REVIEWING, 0.5)
    arrays = layers.arrays
    found = with_statistics(with_digests(found, arrays, volume.geometry), arrays, volume, reporter.check_cancelled)
    labelled = [LabelledStructure(each.name, each.layer, each.label) for each in found]
    sought = [structure.name for structure in prepared.structures]
    return SegmentationResult(
        arrays,
        prepared.structures,
        found,
        sorted(set(sought) - {each.name for each in found}),
        [each.model.id for each in prepared.models],
        {each.model.id: each.model.profile.id for each in prepared.models},
        "cpu",
        time.monotonic() - started,
        prepared.task.options,
        tuple(review(Findings(arrays, labelled, volume.geometry, volume, sought))),
    )


def _planted(model: PreparedModel, shape: tuple[int, int, int]) -> np.ndarray:
    path = Path(os.environ["PLANTED_FOLDER"]) / (model.model.id + ".npy")
    labels = np.load(path) if path.is_file() else np.zeros(shape, np.uint8)
    keep_only(labels, [structure.label for structure in model.structures], lambda: None)
    return labels


def _added(layers: Layers, labels: np.ndarray, model: PreparedModel) -> list[FoundStructure]:
    present = found_structures(labels, model.structures)
    places = layers.add(labels, {each.label for each in present})
    return [
        dataclasses.replace(each, label=places[each.label].label, layer=places[each.label].layer, model=model.model.id)
        for each in present
    ]


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        from TotalSegmentatorEngine.worker.serve import main as serve

        run_job.segment, run_job.prefetch_weights = segment, lambda *_: None
        serve(sys.argv[2:])
    from TotalSegmentatorEngine.cli.main import main

    sys.exit(main(sys.argv[1:]))
