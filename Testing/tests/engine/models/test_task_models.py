"""The tasks of the catalogue as models: folds, resampling and mirror images as the published program has them."""

from __future__ import annotations

from pathlib import Path

import pytest
from seeded_models import (
    configuration_settings,
    dataset_json_of,
    dropped_names,
    make_catalogue_model,
    names_of_part,
    plans_of,
    plans_of_part,
    write_folder,
)
from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.model_install.model_check import check_model
from TotalSegmentatorEngine.models.find_model import coarser_models, find_model
from TotalSegmentatorEngine.models.model_folder import architecture_key
from TotalSegmentatorEngine.preprocessing.network_input import network_grid, resamples_by_plans
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, licensed_tasks, read_catalogue, read_profiles
from TotalSegmentatorWire.tables.structures import structure_table

TASKS = {name: model for name, model in read_catalogue().items() if model.is_task}
GRID = Geometry((40, 60, 50), [[-0.8, 0, 0, 0], [0, -0.7, 0, 0], [0, 0, 2.5, 0], [0, 0, 0, 1]])


def write_model(models: Path, model: CatalogueModel, folds: int = 1) -> list[Path]:
    """The published layout without weights."""
    folders = []
    for part, path in zip(model.parts, model.part_folders(models), strict=True):
        dataset_json = dataset_json_of(names_of_part(model, part.name))
        folders.append(write_folder(path.parent, plans_of_part(model, part.name), dataset_json, path.name))
        for fold in range(1, folds):
            (path / f"fold_{fold}").mkdir()
            (path / f"fold_{fold}" / "checkpoint_final.pth").write_bytes(b"")
    return folders


@pytest.mark.parametrize("name", TASKS)
def test_task_is_found_with_its_structures_folds_and_grid(tmp_path: Path, name: str):
    task = TASKS[name]
    write_model(tmp_path, task, folds=2)
    model = find_model(name, tmp_path)
    assert [row.name for row in model.structures] == [row.name for row in structure_table(task.structures)]
    assert model.profile == read_profiles()[task.profile]
    assert coarser_models(model) == []
    labels = [label for part in model.parts for label in part.labels.values()]
    assert sorted(labels) == [row.label for row in model.structures]
    for folder in model.folders_to_run:
        assert folder.configuration == task.configuration
        assert [path.parent.name for path in folder.checkpoints] == ["fold_0", "fold_1"][: 1 if task.folds else 2]
        assert (not folder.mirrors and not resamples_by_plans(model.profile, folder)) or task.resample_mm is None
    grid = network_grid(GRID, model.profile, model.folders_to_run[0])
    assert grid.spacing == (tuple(reversed(task.resample_mm)) if task.resample_mm else (2.5, 0.7, 0.8))


def test_missing_fold_is_named(tmp_path: Path):
    (folder,) = write_model(tmp_path, TASKS["breasts"])
    (folder / "fold_0").rename(folder / "fold_3")
    with pytest.raises(SegmentationError) as caught:
        find_model("breasts", tmp_path)
    assert caught.value.code == "MODEL_DAMAGED" and "fold_0" in caught.value.problem.values["detail"]


def test_task_with_another_spacing_in_its_plans_is_resampled_twice_as_published(tmp_path: Path):
    task = TASKS["ventricle_parts"]
    ((part, path),) = zip(task.parts, task.part_folders(tmp_path), strict=True)
    plans = plans_of(configuration_settings(spacing=(1.0, 0.45, 0.45)), dataset=part.name)
    write_folder(path.parent, plans, dataset_json_of(names_of_part(task, part.name)), path.name)
    model = find_model(task.id, tmp_path)
    (folder,) = model.folders_to_run
    assert network_grid(GRID, model.profile, folder).spacing == (1.0, 0.4345703125, 0.4384765625)
    assert resamples_by_plans(model.profile, folder)


def test_another_profile_has_mirror_images_where_the_weights_allow_them(tmp_path: Path):
    write_model(tmp_path, TASKS["trunk_cavities"])  # its trainer mirrors
    published = find_model("trunk_cavities", tmp_path)
    own = published.with_profile(read_profiles()["nnunet"])
    assert [published.folders_to_run[0].mirrors, own.folders_to_run[0].mirrors] == [False, True]
    assert architecture_key(published.folders_to_run[0]) != architecture_key(own.folders_to_run[0])
    assert own.structures == published.structures


def test_a_network_of_ones_own_under_a_tasks_name_is_left_alone(tmp_path: Path):
    task = TASKS["trunk_cavities"]
    (part,) = task.parts
    as_published = make_catalogue_model(tmp_path / "published", task.id)[0]
    own = write_folder(
        tmp_path / part.name, plans_of(configuration_settings(), part.name), dataset_json_of(("tumour", "oedema"))
    )
    found = [find_model(str(folder), tmp_path) for folder in (as_published, own)]
    assert [model.published_as for model in found] == [task.id, None]
    assert [row.name for row in found[0].structures] == [row.name for row in structure_table(task.structures)]
    assert [row.name for row in found[1].structures] == ["tumour", "oedema"]


def test_labels_that_are_dropped_belong_to_the_published_model(tmp_path: Path):
    task = TASKS["kidney_cysts"]
    assert len(dropped_names(task)) == 2
    (folder,) = make_catalogue_model(tmp_path, task.id)
    assert check_model(folder, task.id).labels == 4
    with pytest.raises(SegmentationError, match="4 labels, but the published model has 2"):
        check_model(folder, "body")


@pytest.mark.parametrize("task", licensed_tasks().values(), ids=licensed_tasks().keys())
def test_weights_from_the_publisher_are_a_model_folder_of_the_users_own(tmp_path: Path, task):
    dataset = tmp_path / f"Dataset{task.dataset_ids[0]}_from_the_publisher"
    folder = write_folder(dataset, plans_of(configuration_settings(), dataset.name), dataset_json_of(task.structures))
    model = find_model(str(folder), tmp_path)
    assert [row.name for row in model.structures] == list(task.structures)
    assert len({row.colour for row in model.structures}) > len(task.structures) / 2
    assert all(row.type[0].isdigit() and row.group for row in model.structures)
    known = {row.name: row for row in structure_table("structures_104")}
    for row in model.structures:
        if row.name in known:
            assert (row.colour, row.tg263_name) == (known[row.name].colour, known[row.name].tg263_name)
