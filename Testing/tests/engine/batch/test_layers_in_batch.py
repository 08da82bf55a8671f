"""A run with two models, whose structures overlap: segmentation, table and record have each structure whole."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from TotalSegmentatorEngine.export.sources.segmentation_files import read_segmentation
from two_models import FIRST, PLACES, PROFILES, SECOND, masks_of, two_model_result

STRUCTURES = {"spleen", "liver", "kidney_left"}


@pytest.fixture
def run(bench):
    bench.image("ct.nii.gz", slices=20)
    bench.find = lambda volume, _prepared: two_model_result(volume)
    finished = bench("--export", "volumes")
    assert finished.status == 0, finished.err
    return finished


def test_each_row_says_the_structures_own_layer_and_model(bench, run):
    with (run.folder / "structures.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["totalsegSegmentLabel"]: row for row in csv.DictReader(stream)}
    (ct,) = bench.seen
    assert rows.keys() == STRUCTURES
    for name, mask in masks_of(ct.shape).items():
        layer, label, model = PLACES[name]
        row = rows[name]
        assert (int(row["layer"]), int(row["label"]), int(row["voxel_num"])) == (layer, label, np.count_nonzero(mask))
        assert (row["model"], row["profile"]) == (model, PROFILES[model])
        assert float(row["Mean"]) == pytest.approx(ct[mask].mean(), abs=0.006)
        assert float(row["Median"]) == pytest.approx(np.median(ct[mask]), abs=0.006)
    assert (rows["kidney_left"]["level"], rows["kidney_left"]["flags"]) == ("check", "volume")


def test_segmentation_and_record_tell_the_same(run):
    (outcome,) = run.outcomes.values()
    assert outcome.model == f"{FIRST}, {SECOND}"
    assert outcome.profile == ", ".join(PROFILES.values())
    read = read_segmentation(run.folder / outcome.id / "segmentation.seg.nrrd")
    voxels = {each.id: np.count_nonzero(read.layers[each.layer].array == each.label) for each in read.segments}
    assert voxels == {each.name: each.voxels for each in outcome.structures}
    assert {each.name: (each.layer, each.label, each.model) for each in outcome.structures} == PLACES
    assert (run.folder / outcome.id / "thumbnail.jpg").stat().st_size > 1000
