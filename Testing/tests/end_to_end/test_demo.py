"""The README's first command: everything that it leaves, judged against the phantom's own labels."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from phantom import PhantomParameters, make_phantom
from places import TESTING
from scores import dice_by_label, worst
from TotalSegmentatorWire.tables.structures import structure_table

NAMES = {structure.label: structure.name for structure in structure_table("structures_104")}


@pytest.fixture(scope="module")
def demo_phantom_parameters() -> PhantomParameters:
    import demo

    return demo.DEMO_PHANTOM


@pytest.fixture(scope="module")
def demo_output(tmp_path_factory) -> tuple[Path, str]:
    """The folder that the demo has filled, and what it said."""
    folder = tmp_path_factory.mktemp("demo")
    run = subprocess.run(
        [sys.executable, str(TESTING / "demo.py"), "--output", str(folder)],
        env={**os.environ, "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]
    return folder, run.stdout


@pytest.mark.slow  # segments and draws a whole body: half a minute on two cores
def test_demo_finds_every_structure(demo_output, demo_phantom_parameters):
    folder, said = demo_output
    truth = make_phantom(demo_phantom_parameters).labels
    labels = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(folder / "segmentation.seg.nrrd")))
    dice = dice_by_label(labels, truth)
    assert len(dice) == 104
    assert np.mean(list(dice.values())) >= 0.85, worst(dice, NAMES, 12)
    assert min(dice.values()) >= 0.55, worst(dice, NAMES, 12)
    assert "104 of 104 structures found" in said


@pytest.mark.slow  # uses the run of the test above
def test_demo_leaves_what_the_readme_promises(demo_output):
    folder, _said = demo_output
    assert {path.name for path in folder.iterdir()} == {
        "segmentation.seg.nrrd",
        "panel.png",
        "slices.png",
        "surfaces.png",
        "statistics.csv",
        "run.log",
    }
    assert all((folder / name).stat().st_size > 20_000 for name in ("panel.png", "slices.png", "surfaces.png"))
    with (folder / "statistics.csv").open(encoding="utf-8", newline="") as stream:
        rows = {row["structure"]: row for row in csv.DictReader(stream)}
    assert len(rows) == 104
    assert 1000 < float(rows["liver"]["volume_ml"]) < 2500
    assert float(rows["lung upper lobe left"]["mean_hu"]) < -600
    image = SimpleITK.ReadImage(str(folder / "segmentation.seg.nrrd"))
    ids = {image.GetMetaData(key) for key in image.GetMetaDataKeys() if key.endswith("_ID")}
    assert ids == set(NAMES.values())
    assert "demo model" in (folder / "run.log").read_text(encoding="utf-8")


def test_demo_model_is_not_offered_for_a_patients_ct(tmp_path: Path):
    run = subprocess.run(
        [sys.executable, str(TESTING / "demo.py"), "--ct", str(tmp_path / "ct.nrrd")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 2
    assert "never use it for patients" in run.stderr
