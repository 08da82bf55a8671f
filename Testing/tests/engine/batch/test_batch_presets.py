"""The command ``batch`` with structures chosen by a preset."""

from __future__ import annotations

import json

import pytest
from seeded_models import make_catalogue_model

UNION = {"title": "organs", "kind": "union", "tg263_name": "Organs", "names": ["liver", "spleen"]}


@pytest.fixture
def own_preset(bench, tmp_path):
    """Its models are chosen, and the one that it needs at 3 mm is there."""
    make_catalogue_model(tmp_path / "installed", "104-3mm", (8, 8, 8))
    bench.model = None
    path = tmp_path / "own.json"
    content = {"format": "TotalSegmentatorModule preset", "version": 1, "title": "Own", "rows": [UNION]}
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
    assert len(rows) == 2 and "Organs" in rows[1]
    assert bench(*own_preset, "--quality", "fast", "--export", "volumes").segmented == 0, "it is done"


def test_models_that_are_missing_stop_the_run_before_it_begins(bench, own_preset):
    bench.image("ct.nii.gz")
    run = bench(*own_preset)
    assert run.status == 228 and "104-1.5mm" in run.err
    assert run.segmented == 0 and not run.folder.exists()
