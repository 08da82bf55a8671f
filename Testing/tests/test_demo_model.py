"""The demo model's folder: what is committed is small, loadable as nnU-Net loads it, and says what it is."""

from __future__ import annotations

import json

import pytest
import torch
from demo_model.model_folder import CONFIGURATION, DESCRIPTION, build_network, load_folder, make_plans, model_path
from phantom.phantom import read_label_table
from places import TESTING

ROOT = TESTING / "demo_model"
FOLDER = model_path(ROOT)
CHECKPOINT = FOLDER / "fold_0" / "checkpoint_final.pth"


@pytest.fixture(scope="module")
def loaded() -> tuple[dict, dict, torch.nn.Module]:
    return load_folder(FOLDER)


def test_the_weights_are_small() -> None:
    assert CHECKPOINT.stat().st_size <= 8_000_000


def test_labels_are_the_structure_table(loaded: tuple[dict, dict, torch.nn.Module]) -> None:
    labels = dict(loaded[1]["labels"])
    assert labels.pop("background") == 0
    assert list(labels.items()) == list(read_label_table().items())
    assert len(labels) == 104


def test_the_folder_says_that_it_is_no_clinical_model(loaded: tuple[dict, dict, torch.nn.Module]) -> None:
    plans, dataset, _ = loaded
    assert dataset["totalsegmentator_module_demo"] is True
    assert dataset["description"] == plans["description"] == DESCRIPTION
    assert DESCRIPTION in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_network_gives_one_channel_for_each_label(loaded: tuple[dict, dict, torch.nn.Module]) -> None:
    with torch.inference_mode():
        logits = loaded[2](torch.zeros(1, 1, 16, 16, 16))
    assert logits.shape == (1, 105, 16, 16, 16)
    assert torch.isfinite(logits).all()


def test_the_checkpoint_needs_no_pickled_code() -> None:
    checkpoint = torch.load(CHECKPOINT, map_location="cpu", weights_only=True)
    assert checkpoint["init_args"]["configuration"] == CONFIGURATION
    assert checkpoint["trainer_name"] == "nnUNetTrainer"
    assert checkpoint["inference_allowed_mirroring_axes"] is None
    assert checkpoint["optimizer_state"] is None
    assert {tensor.dtype for tensor in checkpoint["network_weights"].values()} == {torch.float32}


def test_the_plans_are_the_ones_that_the_training_program_writes(loaded: tuple[dict, dict, torch.nn.Module]) -> None:
    plans, dataset, _ = loaded
    shape = tuple(plans["original_median_shape_after_transp"])
    again = make_plans(plans["foreground_intensity_properties_per_channel"]["0"], shape)
    assert json.loads(json.dumps(again)) == plans
    assert sum(p.numel() for p in build_network(again, dataset).parameters()) < 2_000_000
