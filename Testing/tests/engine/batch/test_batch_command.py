"""The command batch: a folder of patients becomes a folder of results, and a second call does what is missing."""

from __future__ import annotations

import json

import numpy as np
from batch_bench import LIVER_HU, BatchBench
from series_support import chest
from TotalSegmentatorEngine.ct_input.reading import read_input


def test_every_ct_of_a_folder_is_segmented_once(bench: BatchBench) -> None:
    bench.dicom("erika/ct", seed=1)
    bench.dicom("max/study/ct", seed=2)
    image = bench.image("images/ct3.nii.gz", seed=3)
    first = bench()
    assert (first.status, first.segmented, len(first.outcomes)) == (0, 3, 3)
    for outcome in first.outcomes.values():
        assert outcome.is_done and [structure.name for structure in outcome.structures] == ["liver", "spleen"]
        files = {path.name for path in (first.folder / outcome.id).iterdir()}
        assert files == {"done.json", "segmentation.seg.nrrd", "log.txt", "thumbnail.jpg"}
    written = read_input(first.folder / first.outcome_of(image).id / "segmentation.seg.nrrd").volume.array
    np.testing.assert_array_equal(written > 0, chest(3, 4) > LIVER_HU)
    again = bench()
    assert (again.status, again.segmented) == (0, 0) and "3 done before" in again.out


def test_a_record_says_what_was_done_and_measured(bench: BatchBench) -> None:
    bench.dicom("erika/ct", seed=1)
    run = bench()
    ((case_id, outcome),) = run.outcomes.items()
    fields = json.loads((run.folder / case_id / "done.json").read_text(encoding="utf-8"))
    assert fields["ct"] == {"shape": [4, 16, 18], "spacing_mm": [1.5, 1.5, 2.0]}
    assert fields["input_digest"].startswith(case_id) and fields["model"] == "Dataset901_Bench"
    array = chest(1, 4)
    spleen = next(structure for structure in outcome.structures if structure.name == "spleen")
    inside = array[array > 500]
    assert spleen.voxels == inside.size and abs(spleen.mean_hu - inside.mean()) < 0.01
    assert abs(spleen.volume_ml - inside.size * 1.5 * 1.5 * 2.0 / 1000) < 0.001
    assert spleen.percentiles_hu == {
        str(percent): round(float(np.percentile(inside, percent)), 2) for percent in (5, 10, 25, 50, 75, 90, 95)
    }
    liver = outcome.structures[0]
    assert (liver.is_cut, liver.level, liver.flags) == (True, "cut", ("cut_by_scan",)) and not spleen.is_cut
    assert outcome.flags[0]["sentence"] == "The scan ends within liver (feet)."
    assert {"engine", "torch"} <= set(outcome.versions) and outcome.seconds["total"] > 0
