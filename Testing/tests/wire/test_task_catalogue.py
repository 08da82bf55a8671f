"""The tasks of TotalSegmentator in the catalogue: every entry against its label table and its coarse model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from TotalSegmentatorWire.resources import MODELS_FOLDER
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, licensed_tasks, read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structures import WHOLE_BODY_TABLES, structure_table

TASKS = {name: model for name, model in read_catalogue().items() if model.is_task}
each_task = pytest.mark.parametrize("model", TASKS.values(), ids=TASKS.keys())


def names_of_model(model: str) -> set[str]:
    return {row.name for row in structure_table(read_catalogue()[model].structures)}


def test_catalogue_begins_with_the_whole_body_and_ends_with_the_tasks():
    models = read_catalogue()
    assert [*models][:5] == ["104-1.5mm", "104-3mm", "117-1.5mm", "117-3mm", "117-6mm"]
    assert {model.structures for model in models.values() if not model.is_task} == set(WHOLE_BODY_TABLES[:2])
    assert [len(models[name].parts) for name in ("104-1.5mm", "104-3mm", "117-1.5mm")] == [5, 1, 5]
    assert len(TASKS) == 26, "25 tasks, and the coarse model of the body"
    assert {model.family for model in TASKS.values()} == TASKS.keys() - {"body-6mm"}


@each_task
def test_label_table_is_that_of_the_parts(model: CatalogueModel):
    ids = {part.name.split("_")[0] for part in model.parts}
    rows = structure_table(model.structures)
    if model.id != "body-6mm":
        assert {row.part_model for row in rows} == ids
    for part in ids:
        own = sorted(row.label_in_part for row in rows if row.part_model == part)
        assert own == list(range(1, len(own) + 1))


@each_task
def test_crop_and_steps_name_structures_that_are_there(model: CatalogueModel):
    if model.crop is not None:
        assert set(model.crop.classes) <= names_of_model(model.crop.model)
        assert model.crop.margin_mm == (10 if model.id == "teeth" else 20)
    for step in model.steps:
        assert set(step.structures) <= names_of_model(step.model or model.id)
        assert not set(step.labels) & {row.label for row in structure_table(model.structures)}


@each_task
def test_profile_is_the_published_one(model: CatalogueModel):
    profile = read_profiles()[model.profile]
    assert profile == read_profiles()[model.published_profile]
    assert (profile.step, profile.mirroring, profile.orientation) == (0.5, False, "canonical")
    assert (profile.spacing == "plans") == (model.resample_mm is None) == (model.spacing_mm is None)


def test_five_tasks_leave_the_spacing_to_their_plans():
    assert {name for name, model in TASKS.items() if model.resample_mm is None} == {
        *("lung_vessels_LEGACY", "pleural_pericard_effusion", "liver_vessels", "hip_implant", "cerebral_bleed")
    }


@pytest.mark.parametrize(
    ("model", "needed"),
    [
        ("117-3mm", ()),
        ("body", ()),
        ("head_glands_cavities", ("117-6mm",)),
        ("lung_vessels", ("117-3mm",)),
        ("abdominal_muscles", ("body-6mm",)),
        ("teeth", ("117-6mm", "craniofacial_structures")),
        ("vertebrae_pp_refined", ("vertebrae_body",)),
    ],
)
def test_needed_models_come_after_those_that_they_need(model, needed):
    assert read_catalogue()[model].needed_models == needed


def test_licensed_tasks_are_listed_and_have_nothing_to_download():
    licensed = licensed_tasks()
    assert "heartchambers_highres" in licensed and "brain_structures" in licensed
    assert not licensed.keys() & read_catalogue().keys()
    assert licensed["brain_structures"].structures[0] == "brainstem"
    assert {model.licence_kind for model in read_catalogue().values()} == {"open"}


def test_every_model_names_what_to_cite():
    for model in read_catalogue().values():
        assert any("Isensee" in text for text in model.citations), model.id


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("crop", {"classes": [], "model": "117-6mm", "margin_mm": 20}),
        ("crop", {"classes": ["skull"], "model": "117-6mm", "margin_mm": -1}),
        ("steps", [{"step": "sharpen", "grid": "network"}]),
        ("steps", [{"step": "largest_blob", "grid": "network"}]),
        ("resample_mm", [1.0, 1.0]),
        ("licence_kind", "unknown"),
        ("structures", "structures_1"),
    ],
)
def test_damaged_task_is_refused(tmp_path: Path, field, value):
    content = json.loads((MODELS_FOLDER / "tasks.json").read_text(encoding="utf-8"))
    content["models"][0][field] = value
    path = tmp_path / "tasks.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match=f"head_glands_cavities has no valid {field}"):
        read_catalogue(path)
