"""The engine in plain Python: three lines from a CT to a file."""

from __future__ import annotations

import dataclasses
import inspect
import re
import subprocess
import sys
import warnings
from pathlib import Path

import ct_variants
import numpy as np
import pytest
import TotalSegmentatorEngine as engine  # noqa: N813 - as the documentation has it
from engine_support import blobs_volume
from places import REPOSITORY
from seeded_models import make_catalogue_model
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.resources import ENGINE_PROGRAM


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, "104-3mm")
    return folder


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    volume = blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))
    array = volume.array - 1500  # no Hounsfield units: a warning
    path = tmp_path_factory.mktemp("ct") / "ct.nii.gz"
    return ct_variants.write_image(path, array, volume.geometry.ijk_to_ras)


@pytest.fixture(scope="module")
def result(ct: Path, models: Path) -> engine.Segmentation:
    """Of a tiny network with random weights."""
    seen: list[tuple[float, str]] = []
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = engine.segment(
            ct,
            preset="ribs",
            structures="Liver",
            quality="fast",
            models_folder=models,
            device="cpu",
            runtime="eager",
            second_opinion="off",
            on_progress=lambda fraction, stage, _seconds: seen.append((fraction, stage)),
        )
    fractions = [fraction for fraction, _ in seen]
    assert fractions == sorted(fractions) and seen[-1] == (1.0, "writing")
    codes = [each.message.problem.code for each in told if isinstance(each.message, engine.SegmentationWarning)]
    assert codes == ["HU_SCALE"]
    return found


def test_the_result_has_what_was_chosen(result):
    chosen = {*engine.read_presets()["ribs"].structures, "liver"}
    assert set(result.names) | set(result.absent) == chosen
    assert result.names, "random weights find something"
    assert {found.model for found in result.structures} == {"104-3mm"}


def test_masks_are_those_of_the_layers(result):
    for found in result.structures:
        mask = result.mask(found.name)
        assert mask.shape == result.geometry.shape and mask.dtype == bool
        assert np.count_nonzero(mask) == found.voxels
    with pytest.raises(KeyError):
        result.mask("brain")


def test_the_result_is_saved_and_exported(result, tmp_path, ct):
    saved = result.save(tmp_path / "organs.seg.nrrd")
    assert saved.stat().st_size > 0
    (table,) = result.export(tmp_path / "volumes.csv", "volumes")
    text = table.read_text(encoding="utf-8")
    assert all(name.replace("rib_left_", "Rib").split("_")[0] for name in result.names)
    assert len(text.splitlines()) == 1 + len(result.names)
    with pytest.raises(engine.SegmentationError) as refused:
        result.save(ct)
    assert refused.value.code == "OUTPUT_IS_INPUT"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"preset": "rt-throax"}, "PRESET_UNKNOWN"),
        ({"preset": "rt-thorax"}, "CHOICE_MODELS_MISSING"),
        ({"structures": ["livr"]}, "STRUCTURE_UNKNOWN"),
        ({"model": "118-3mm"}, "MODEL_UNKNOWN"),
        ({"structures": ["liver"], "prefer": "118"}, "FAMILY_UNKNOWN"),
    ],
)
def test_failures_have_the_codes_of_the_command_line(ct, models, arguments, code):
    with pytest.raises(engine.SegmentationError) as refused:
        engine.segment(ct, models_folder=models, **arguments)
    assert refused.value.code == code


def test_a_ct_that_is_not_there(tmp_path):
    with pytest.raises(engine.SegmentationError) as refused:
        engine.segment(tmp_path / "ct.nii.gz", preset="ribs")
    assert refused.value.code == "INPUT_NOT_FOUND"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, ValueError),
        ({"model": "117-3mm", "preset": "ribs"}, ValueError),
        ({"preset": "ribs", "quality": "best"}, ValueError),
        ({"preset": "ribs", "colour": "red"}, TypeError),
    ],
)
def test_arguments_that_do_not_exist(ct, arguments, error):
    with pytest.raises(error):
        engine.segment(ct, **arguments)


def test_cancelling_ends_the_job(ct, models):
    with pytest.raises(engine.SegmentationError) as ended:
        engine.segment(ct, preset="ribs", quality="fast", models_folder=models, is_cancelled=lambda: True)
    assert ended.value.code == "CANCELLED"


def test_the_page_has_every_argument_and_member_and_its_scripts_are_python():
    page = (REPOSITORY / "docs" / "python.md").read_text(encoding="utf-8")
    named = {name for row in re.findall(r"^\| (`.+?) \|", page, re.M) for name in re.findall(r"`(\w+)", row)}
    parameters = inspect.signature(engine.segment).parameters
    options = {field.name for field in dataclasses.fields(JobOptions)} - {"preview"}  # nobody watches a script
    assert {*parameters} - {"options"} <= named and options <= named
    members = {name for name in vars(engine.Segmentation) if not name.startswith("_")} - {"choice"}
    assert members <= named
    scripts = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    assert len(scripts) == 2 and all(compile(script, "page", "exec") for script in scripts)


def test_importing_the_engine_imports_nothing_heavy():
    program = (
        "import sys, TotalSegmentatorEngine as engine; "
        "print(sorted({'torch', 'numpy', 'SimpleITK', 'argparse'} & set(sys.modules)), 'segment' in dir(engine))"
    )
    folder = str(ENGINE_PROGRAM.parents[1])
    said = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["[]", "True"]
    with pytest.raises(AttributeError):
        engine.segmentate  # noqa: B018 - the attribute is asked for
