"""The command ``batch`` with structures chosen by a preset."""

from __future__ import annotations

import json

import pydicom
import pytest
from seeded_models import make_catalogue_model

UNION = {"title": "organs", "kind": "union", "tg263_name": "Organs", "names": ["liver", "spleen"]}


@pytest.fixture
def own_preset(bench, tmp_path):
    """Its models are chosen, and the one that it needs at 3 mm is there."""
    make_catalogue_model(tmp_path / "installed", "104-3mm", (8, 8, 8))
    bench.model = None
    path, rows = tmp_path / "own.json", ["liver", UNION]
    content = {"format": "TotalSegmentatorModule preset", "version": 1, "title": "Own", "rows": rows}
    path.write_text(json.dumps(content), encoding="utf-8")
    return ["--preset", str(path), "--models-folder", str(tmp_path / "installed")]


def test_a_preset_runs_over_all_cts_and_its_unions_are_exported(bench, own_preset):
    bench.image("ct.nii.gz")
    run = bench(*own_preset, "--quality", "fast", "--export", "volumes")
    assert run.status == 0, run.err
    (outcome,) = run.outcomes.values()
    assert outcome.model == "104-3mm"
    assert [structure.name for structure in outcome.structures] == ["liver", "spleen"]
    rows = (run.folder / outcome.id / outcome.exports["volumes"]).read_text(encoding="utf-8").splitlines()
    assert len(rows) == 3 and "Organs" in rows[2]
    assert bench(*own_preset, "--quality", "fast", "--export", "volumes").segmented == 0, "it is done"


def test_unions_of_a_preset_stay_out_of_a_label_map(bench, own_preset):
    bench.dicom("ct", seed=1)
    run = bench(*own_preset, "--quality", "fast", "--export", "seg,volumes", "--encoding", "labelmap")
    assert run.status == 0, run.err
    (outcome,) = run.outcomes.values()
    assert set(outcome.exports) == {"seg", "volumes"}
    segments = pydicom.dcmread(run.folder / outcome.id / outcome.exports["seg"]).SegmentSequence
    found = [segment for segment in segments if segment.SegmentNumber > 0]  # 0 is the background
    assert [segment.SegmentLabel for segment in found] == ["Liver~", "Spleen~"]
    assert "Organs" in (run.folder / outcome.id / outcome.exports["volumes"]).read_text(encoding="utf-8")


def test_models_that_are_missing_stop_the_run_before_it_begins(bench, own_preset):
    bench.image("ct.nii.gz")
    run = bench(*own_preset)
    assert run.status == 228 and "104-1.5mm" in run.err
    assert run.segmented == 0 and not run.folder.exists()
