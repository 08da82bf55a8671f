"""Model folders are checked whole, and weight files are written anew with nothing but weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from seeded_models import (
    dataset_json_of,
    make_catalogue_model,
    make_model_folder,
    names_of_part,
)
from TotalSegmentatorEngine.cli import main as command_line
from TotalSegmentatorEngine.model_install import model_check
from TotalSegmentatorEngine.model_install.model_check import check_model
from TotalSegmentatorEngine.models.checkpoint import load_safely
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import read_catalogue

WEIGHT = "encoder.stages.0.0.convs.0.conv.weight"


def refusal(path: Path, **arguments: object) -> SegmentationError:
    with pytest.raises(SegmentationError) as caught:
        check_model(path, **arguments)
    return caught.value


def change_weights(path: Path, fold: str, **changes: torch.Tensor | None) -> None:
    """Names with ``__`` for dots; None takes the tensor away."""
    file = path / fold / "checkpoint_final.pth"
    content = load_safely(file)
    weights = content["network_weights"] | {name.replace("__", "."): tensor for name, tensor in changes.items()}
    kept = {name: tensor for name, tensor in weights.items() if tensor is not None}
    torch.save(content | {"network_weights": kept}, file)


def test_the_report_tells_what_the_folder_holds(tmp_path: Path) -> None:
    path = make_model_folder(tmp_path / "Dataset900_Seeded", folds=2)
    report = check_model(path)
    assert report.dataset == "Dataset900_Seeded" and report.configuration == "3d_fullres"
    assert report.folds == ["fold_0", "fold_1"] and report.labels == 4
    assert report.bytes == sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({WEIGHT: None}, "lacks the weights"),
        ({WEIGHT: torch.zeros(5, 1, 3, 3, 3)}, "5 x 1 x 3 x 3 x 3 values, but the plans require 4 x 1 x 3 x 3 x 3"),
        ({WEIGHT: torch.full((4, 1, 3, 3, 3), torch.nan)}, "are not finite"),
        ({"more": torch.zeros(1)}, "do not belong to the network"),
    ],
)
def test_the_tensor_that_does_not_fit_is_named_with_its_fold(tmp_path: Path, changes: dict, said: str) -> None:
    path = make_model_folder(tmp_path / "D", folds=2)
    change_weights(path, "fold_1", **{name.replace(".", "__"): tensor for name, tensor in changes.items()})
    error = refusal(path)
    assert error.code == "MODEL_DAMAGED"
    assert "fold_1" in error.problem.what and next(iter(changes)) in error.problem.what and said in error.problem.what


def test_weights_of_another_configuration_are_refused(tmp_path: Path) -> None:
    path = make_model_folder(tmp_path / "D")
    file = path / "fold_0" / "checkpoint_final.pth"
    torch.save(load_safely(file) | {"init_args": {"configuration": "3d_lowres"}}, file)
    assert "different configuration" in refusal(path).problem.what


# -- labels ------------------------------------------------------------------------------------------------------------


def test_parts_of_the_catalogue_have_their_labels(tmp_path: Path) -> None:
    model = read_catalogue()["117-1.5mm"]
    folders = make_catalogue_model(tmp_path, model.id)
    for part, folder in zip(model.parts, folders, strict=True):
        assert check_model(folder, model.id, part.name).labels == len(names_of_part(model, part.name))
    assert refusal(folders[1], model=model.id, part=model.parts[0].name).code == "MODEL_DAMAGED"


def test_names_that_contradict_the_table_are_refused(tmp_path: Path) -> None:
    model = read_catalogue()["117-1.5mm"]
    names = names_of_part(model, model.parts[0].name)
    swapped = [names[1], names[0], *names[2:-1], "something_else"]
    path = make_model_folder(tmp_path / "D", dataset_json=dataset_json_of(swapped))
    assert refusal(path, model=model.id, part=model.parts[0].name).code == "MODEL_DAMAGED"


def test_numbers_for_names_are_taken_as_the_table_has_them(tmp_path: Path) -> None:
    """A folder converted without knowing its task calls its labels by their numbers."""
    model = read_catalogue()["117-1.5mm"]
    names = [str(number + 1) for number in range(len(names_of_part(model, model.parts[0].name)))]
    path = make_model_folder(tmp_path / "D", dataset_json=dataset_json_of(names))
    assert check_model(path, model.id, model.parts[0].name).labels == len(names)


@pytest.mark.parametrize("part", ["Dataset999_Nothing", None])
def test_unknown_models_and_parts_are_reported(tmp_path: Path, part: str | None) -> None:
    path = make_model_folder(tmp_path / "D")
    assert refusal(path, model="117-1.5mm", part=part).code == "MODEL_UNKNOWN"
    assert refusal(path, model="118", part=part).code == "MODEL_UNKNOWN"


# -- writing anew ------------------------------------------------------------------------------------------------------


def test_rewritten_files_hold_the_same_weights_and_nothing_else(tmp_path: Path) -> None:
    path = make_model_folder(tmp_path / "D", folds=2, mirroring_axes=(0, 1))
    files = read_model_folder(path).checkpoints
    before = [load_safely(file)["network_weights"] for file in files]
    check_model(path, rewrites=True)
    for file, weights in zip(files, before, strict=True):
        content = torch.load(file, weights_only=True)
        assert set(content) == {
            *("network_weights", "trainer_name", "init_args", "inference_allowed_mirroring_axes"),
        }
        assert content["init_args"] == {"configuration": "3d_fullres"} and content["trainer_name"] == "nnUNetTrainer"
        assert content["inference_allowed_mirroring_axes"] == (0, 1)
        assert list(content["network_weights"]) == list(weights)
        assert all(torch.equal(content["network_weights"][name], tensor) for name, tensor in weights.items())
    assert sorted(file.name for file in path.rglob("*") if file.is_file()) == [
        *["checkpoint_final.pth"] * 2,
        *["dataset.json", "plans.json"],
    ]


def test_a_rewriting_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch) -> None:
    def cut_off(_content: object, path: Path) -> None:
        path.write_bytes(b"half a file")
        raise OSError("no space")

    path = make_model_folder(tmp_path / "D")
    file = read_model_folder(path).checkpoints[0]
    before = file.read_bytes()
    monkeypatch.setattr(model_check.torch, "save", cut_off)
    assert refusal(path, rewrites=True).code == "FOLDER_NOT_WRITABLE"
    assert file.read_bytes() == before and [other.name for other in file.parent.iterdir()] == [file.name]


def test_a_damaged_fold_keeps_every_file_from_being_rewritten(tmp_path: Path) -> None:
    path = make_model_folder(tmp_path / "D", folds=2)
    change_weights(path, "fold_1", more=torch.zeros(1))
    before = [file.read_bytes() for file in read_model_folder(path).checkpoints]
    refusal(path, rewrites=True)
    assert [file.read_bytes() for file in read_model_folder(path).checkpoints] == before


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_prints_one_object(tmp_path: Path, capsys) -> None:
    path = make_model_folder(tmp_path / "Dataset900_Seeded")
    assert command_line.main(["check-model", str(path), "--rewrite"]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert answer["dataset"] == "Dataset900_Seeded" and answer["folds"] == ["fold_0"] and answer["labels"] == 4
    (path / "plans.json").unlink()
    assert command_line.main(["check-model", str(path)]) == 41
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["problem"]["code"] == "MODEL_DAMAGED"
