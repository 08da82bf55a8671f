"""nnU-Net v1 folders become v2 folders with the same network; what could harm or mislead is refused."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from places import MODULE_FOLDER
from seeded_v1_models import (
    FLAT,
    LEAF,
    SIX_STAGES,
    TASK,
    WEIGHTS,
    V1Shape,
    make_v1_folder,
    v1_checkpoint,
    v1_logits,
    v1_plans,
    v1_state,
)
from TotalSegmentatorEngine.cli import main as command_line
from TotalSegmentatorEngine.inference.network import load_model
from TotalSegmentatorEngine.model_install import v1_conversion
from TotalSegmentatorEngine.models.model_folder import ModelFolder, read_model_folder
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.structures import structure_table

CPU = torch.device("cpu")
OLD_NETWORK = V1Shape(convolutions=1, features=3, labels=2)


def convert(source: Path, target: Path) -> ModelFolder:
    v1_conversion.convert_model(source, target)
    return read_model_folder(target)


def target_of(folder: Path) -> Path:
    return folder / "out" / TASK / f"{LEAF}__3d_fullres"


def refusal(source: Path, tmp_path: Path, configuration: str | None = None) -> SegmentationError:
    """Nothing may be left of a conversion that was refused."""
    target = target_of(tmp_path)
    with pytest.raises(SegmentationError) as caught:
        v1_conversion.convert_model(source, target, configuration)
    assert not target.parent.exists() or not list(target.parent.iterdir())
    return caught.value


# -- the same network --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [V1Shape(), FLAT, SIX_STAGES, OLD_NETWORK], ids=["cubic", "flat", "six", "one"])
def test_the_converted_network_computes_the_same_numbers(tmp_path: Path, shape: V1Shape) -> None:
    converted = convert(make_v1_folder(tmp_path, shape, task="Task900_Own"), target_of(tmp_path))
    tile = torch.randn(1, 1, *shape.patch_size)
    with torch.inference_mode():
        ours = load_model(converted, CPU).networks[0](tile)
        v1 = v1_logits(v1_state(shape, 0), shape, tile)
    assert v1.std() > 0.1
    assert float((ours - v1).abs().max()) < 1e-4


def test_every_fold_is_converted(tmp_path: Path) -> None:
    source = make_v1_folder(tmp_path, FLAT, "Task900_Own", folds=("fold_0", "fold_1", "fold_10"))
    report = v1_conversion.convert_model(source, target_of(tmp_path))
    assert report.folds == ["fold_0", "fold_1", "fold_10"]
    networks = load_model(read_model_folder(target_of(tmp_path)), CPU).networks
    tile = torch.randn(1, 1, *FLAT.patch_size)
    with torch.inference_mode():
        for seed, network in enumerate(networks):
            assert torch.allclose(network(tile), v1_logits(v1_state(FLAT, seed), FLAT, tile), atol=1e-4)


def test_the_fold_of_all_cases_is_taken_where_it_is_alone(tmp_path: Path) -> None:
    source = make_v1_folder(tmp_path, FLAT, "Task900_Own", folds=("all",))
    assert v1_conversion.convert_model(source, target_of(tmp_path)).folds == ["fold_all"]


def test_weights_of_several_graphics_cards_are_taken(tmp_path: Path) -> None:
    source = make_v1_folder(tmp_path, FLAT, "Task900_Own")
    state = {f"module.{name}": tensor for name, tensor in v1_state(FLAT, 0).items()}
    torch.save(v1_checkpoint(state), source / "fold_0" / WEIGHTS)
    assert convert(source, target_of(tmp_path)).labels == {"1": 1, "2": 2, "3": 3}


# -- the same meaning --------------------------------------------------------------------------------------------------


def test_plans_say_the_same(tmp_path: Path) -> None:
    shape = dataclasses.replace(SIX_STAGES, transpose_forward=(2, 0, 1), spacing=(3.0, 2.0, 1.0))
    converted = convert(make_v1_folder(tmp_path, shape, "Task900_Own"), target_of(tmp_path))
    assert converted.patch_size == (16, 32, 32) and converted.spacing == (3.0, 2.0, 1.0)
    assert converted.transpose_forward == (2, 0, 1) and converted.image_spacing == (2.0, 1.0, 3.0)
    assert converted.settings["normalization_schemes"] == ["CTNormalization"]
    known = converted.plans["foreground_intensity_properties_per_channel"]["0"]
    assert (known["mean"], known["std"]) == (-50.0, 500.0)
    assert (known["percentile_00_5"], known["percentile_99_5"]) == (-1004.0, 1588.0)
    arguments = converted.settings["architecture"]["arch_kwargs"]
    assert arguments["strides"] == [[1, 1, 1], [2, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2], [1, 1, 2]]
    assert arguments["features_per_stage"] == [4, 8, 16, 32, 64, 128]
    assert converted.voxel_order is None, "v1 reads an image as it lies"


def test_a_published_task_gets_its_structures_names(tmp_path: Path) -> None:
    converted = convert(make_v1_folder(tmp_path), target_of(tmp_path))
    table = {row.name: row.label_in_part for row in structure_table("structures_104") if row.part_model == "Task251"}
    assert converted.labels == table and len(table) == 17
    assert converted.dataset == TASK
    assert converted.voxel_order == "RAS", "its publisher turns every image first"


def test_only_the_publishers_task_of_that_number_gets_them(tmp_path: Path) -> None:
    own = make_v1_folder(tmp_path / "a", task="Task251_Prostate")
    assert list(convert(own, tmp_path / "a" / "out__3d_fullres").labels)[:2] == ["1", "2"]
    other_count = make_v1_folder(tmp_path / "b", V1Shape(labels=5))
    assert list(convert(other_count, tmp_path / "b" / "out__3d_fullres").labels) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("trainer", "axes", "v2"),
    [
        ("nnUNetTrainerV2", (0, 1, 2), "nnUNetTrainer"),
        ("nnUNetTrainerV2_noMirroring", None, "nnUNetTrainerNoMirroring"),
        ("nnUNetTrainerV2_ep8000_nomirror", None, "nnUNetTrainerNoMirroring"),
    ],
)
def test_mirroring_is_kept_and_nnunet_v2_can_load_the_file(tmp_path: Path, trainer, axes, v2) -> None:
    source = make_v1_folder(tmp_path, FLAT, "Task900_Own", leaf=f"{trainer}__nnUNetPlansv2.1")
    converted = convert(source, target_of(tmp_path))
    content = torch.load(converted.checkpoints[0], weights_only=True)
    assert content["inference_allowed_mirroring_axes"] == axes
    assert content["trainer_name"] == v2 and content["init_args"]["configuration"] == "3d_fullres"
    assert set(content) == {
        *("network_weights", "trainer_name", "init_args", "inference_allowed_mirroring_axes"),
    }
    network = PlansManager(str(converted.path / "plans.json")).get_configuration("3d_fullres")
    assert network.network_arch_init_kwargs["n_stages"] == 3


def test_low_resolution_and_old_plans(tmp_path: Path) -> None:
    """A first stage of half the resolution; and plans that state no kernels and pools, as v1's first versions."""
    plans = v1_plans(V1Shape(labels=3))
    full = plans["plans_per_stage"][0]
    low = {**full, "current_spacing": np.array([6.0, 6.0, 6.0])}
    shape = V1Shape(labels=3, changes={"plans_per_stage": {0: low, 1: full}})
    source = make_v1_folder(tmp_path, shape, "Task900_Own")
    for configuration, spacing in (("3d_lowres", 6.0), ("3d_fullres", 1.5)):
        converted = convert(source, tmp_path / f"{LEAF}__{configuration}")
        assert converted.configuration == configuration and converted.spacing == (spacing,) * 3
    old = {name: value for name, value in full.items() if name not in ("pool_op_kernel_sizes", "conv_kernel_sizes")}
    shape = V1Shape(labels=3, changes={"plans_per_stage": {0: old}})
    convert(make_v1_folder(tmp_path, shape, "Task901_Own"), tmp_path / "old__3d_fullres")


# -- what is refused ---------------------------------------------------------------------------------------------------


class Canary:
    def __init__(self, trace: Path, call: object) -> None:
        self.trace, self.call = trace, call

    def __reduce__(self) -> tuple:
        return self.call, (str(self.trace),)


@pytest.mark.parametrize("file", ["plans.pkl", f"fold_0/{WEIGHTS}", f"fold_0/{WEIGHTS}.pkl"])
@pytest.mark.parametrize("call", [os.mkdir, os.system, eval, np.load, torch.load])
def test_a_crafted_file_is_refused_and_nothing_runs(tmp_path: Path, file: str, call: Callable) -> None:
    source, trace = make_v1_folder(tmp_path, FLAT), tmp_path / "trace"
    if file.endswith(WEIGHTS):
        torch.save(v1_checkpoint(v1_state(FLAT, 0)) | {"plot_stuff": Canary(trace, call)}, source / file)
    else:
        (source / file).write_bytes(pickle.dumps(v1_plans(FLAT) | {"modalities": Canary(trace, call)}))
    assert refusal(source, tmp_path).code == "MODEL_UNSAFE"
    assert not trace.exists()


class Reduced:
    """Pickles as a call of ``make`` with ``arguments``, and then ``state`` set on what comes out."""

    def __init__(self, *reduction: object) -> None:
        self.reduction = reduction

    def __reduce__(self) -> tuple:
        return self.reduction


REBUILD = np.zeros(1).__reduce__()[0]
OBJECT_ARRAY = np.array([{"a": 1}], dtype=object)


@pytest.mark.parametrize(
    "content",
    [
        OBJECT_ARRAY,
        np.zeros(2, dtype=[("a", "f4")]),
        np.random.default_rng(0),
        Path("somewhere"),
        Reduced(np.ndarray, ((2**20,),)),
        Reduced(REBUILD, (dict, (0,), b"b")),
        Reduced(REBUILD, (np.ndarray, (0,), b"b"), (1, (2**40,), np.dtype("f8"), False, b"")),
        Reduced(REBUILD, (np.ndarray, (0,), b"b"), (1, (1,), np.dtype("O"), False, [print])),
    ],
    ids=["objects", "records", "generator", "path", "huge", "dict", "wrong size", "function"],
)
def test_other_types_than_numbers_and_texts_are_refused(tmp_path: Path, content: object) -> None:
    source = make_v1_folder(tmp_path, FLAT)
    (source / "plans.pkl").write_bytes(pickle.dumps(v1_plans(FLAT) | {"modalities": content}))
    assert refusal(source, tmp_path).code == "MODEL_UNSAFE"


def test_a_pickle_cannot_change_what_it_names(tmp_path: Path) -> None:
    """Its opcodes take numpy.dtype, set the attribute x of it to 1, and return it."""
    source = make_v1_folder(tmp_path, FLAT)
    (source / "plans.pkl").write_bytes(b"\x80\x02cnumpy\ndtype\n" + b"N}U\x01xK\x01s\x86" + b"b.")
    error = refusal(source, tmp_path)
    assert error.code == "MODEL_UNSAFE" and "a change of x" in error.problem.what


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"num_modalities": 2}, "MODEL_SEVERAL_CHANNELS"),
        ({"num_classes": 300}, "MODEL_TOO_MANY_LABELS"),
        ({"preprocessor_name": "PreprocessorFor3D_special"}, "MODEL_UNSUPPORTED"),
        ({"normalization_schemes": {0: "CT2"}}, "MODEL_UNSUPPORTED"),
        ({"use_mask_for_norm": {0: True}}, "MODEL_UNSUPPORTED"),
        ({"plans_per_stage": {}}, "MODEL_DAMAGED"),
        ({"base_num_features": 10**9}, "MODEL_DAMAGED"),
        ({"dataset_properties": {}}, "MODEL_DAMAGED"),
        ({"transpose_forward": [0, 0, 1]}, "MODEL_DAMAGED"),
        ({"num_classes": "many"}, "MODEL_DAMAGED"),
    ],
)
def test_plans_that_cannot_be_run_are_refused(tmp_path: Path, changes: dict, code: str) -> None:
    source = make_v1_folder(tmp_path, FLAT)
    for file in (source / "plans.pkl", source / "fold_0" / f"{WEIGHTS}.pkl"):
        file.write_bytes(pickle.dumps(v1_plans(FLAT) | changes))
    assert refusal(source, tmp_path).code == code


@pytest.mark.parametrize(
    ("trainer", "code"),
    [
        ("nnUNetTrainerV2_ReLU", "MODEL_UNSUPPORTED"),
        ("nnUNetTrainerV2_LReLU_slope_2en1", "MODEL_UNSUPPORTED"),
        ("nnUNetTrainerV2_lReLU_convlReLUIN", "MODEL_UNSUPPORTED"),
        ("nnUNetTrainerV2_ResencUNet", "MODEL_UNSUPPORTED"),
        ("nnUNetTrainerV2CascadeFullRes", "MODEL_CASCADE"),
    ],
)
def test_trainers_of_other_networks_are_refused(tmp_path: Path, trainer: str, code: str) -> None:
    """Their weights may have the same names and shapes."""
    source = make_v1_folder(tmp_path, FLAT, trainer=trainer)
    assert refusal(source, tmp_path).code == code


def test_other_configurations_are_refused(tmp_path: Path) -> None:
    source = make_v1_folder(tmp_path, FLAT)
    assert refusal(source, tmp_path, "2d").code == "MODEL_NOT_3D"
    assert refusal(source, tmp_path, "3d_cascade_fullres").code == "MODEL_CASCADE"
    assert refusal(source, tmp_path, "3d_lowres").code == "MODEL_DAMAGED"


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    source = make_v1_folder(tmp_path, FLAT)
    state = v1_state(FLAT, 0)
    name = "conv_blocks_localization.0.1.blocks.0.conv.weight"
    flat = "conv_blocks_context.0.blocks.1.conv.weight"
    for changed in (
        {key: tensor for key, tensor in state.items() if key != name},
        state | {"conv_blocks_context.9.blocks.0.conv.weight": torch.zeros(1)},
        state | {flat: torch.zeros(4, 4, 3, 3, 3)},
        state | {name: torch.full_like(state[name], torch.nan)},
        {"seg_outputs": "no tensor"},
    ):
        torch.save(v1_checkpoint(changed), source / "fold_0" / WEIGHTS)
        assert refusal(source, tmp_path).code == "MODEL_DAMAGED"


def test_incomplete_cut_and_contradicting_folders_are_refused(tmp_path: Path) -> None:
    source = make_v1_folder(tmp_path, FLAT, folds=("fold_0", "fold_1"))
    weights, plans = source / "fold_1" / WEIGHTS, source / "plans.pkl"
    whole = weights.read_bytes()
    for content in (b"", whole[: len(whole) // 2]):
        weights.write_bytes(content)
        assert refusal(source, tmp_path).code == "MODEL_DAMAGED"
    torch.save(v1_checkpoint(v1_state(FLAT, 1)), weights, _use_new_zipfile_serialization=False)
    error = refusal(source, tmp_path)
    assert error.code == "MODEL_DAMAGED" and "before 1.6" in error.problem.what
    weights.unlink()
    assert "fold_1" in refusal(source, tmp_path).problem.what
    weights.write_bytes(whole)
    known = plans.read_bytes()
    plans.write_bytes(known[:-20])
    assert refusal(source, tmp_path).code == "MODEL_DAMAGED"
    other = dataclasses.replace(FLAT, spacing=(4.0, 1.0, 1.0))
    plans.write_bytes(pickle.dumps(v1_plans(other)))
    assert "different plans" in refusal(source, tmp_path).problem.what
    assert refusal(tmp_path / "nothing", tmp_path).code == "MODEL_FOLDER_MISSING"


# -- whole or not at all -----------------------------------------------------------------------------------------------


def test_a_network_that_computes_no_numbers_is_not_kept(tmp_path: Path) -> None:
    """Its weights are finite, its sums are not."""
    source = make_v1_folder(tmp_path, FLAT)
    state = {name: tensor.clone() for name, tensor in v1_state(FLAT, 0).items()}
    state["seg_outputs.1.weight"].fill_(3e38)
    torch.save(v1_checkpoint(state), source / "fold_0" / WEIGHTS)
    assert "does not compute finite values" in refusal(source, tmp_path).problem.what


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    target = target_of(tmp_path)
    target.mkdir(parents=True)
    (target / "mine.txt").write_text("kept")
    with pytest.raises(SegmentationError) as caught:
        v1_conversion.convert_model(make_v1_folder(tmp_path, FLAT), target)
    assert caught.value.code == "OUTPUT_NOT_WRITABLE"
    assert [path.name for path in target.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, "DISK_FULL"), (errno.EACCES, "FOLDER_NOT_WRITABLE")])
def test_a_full_or_closed_disk_leaves_nothing(tmp_path: Path, monkeypatch, number: int, code: str) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    source = make_v1_folder(tmp_path, FLAT)
    monkeypatch.setattr(v1_conversion.torch, "save", fail)
    assert refusal(source, tmp_path).code == code


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_prints_one_object(tmp_path: Path, capsys) -> None:
    source, target = make_v1_folder(tmp_path, V1Shape()), target_of(tmp_path)
    assert command_line.main(["convert-model", str(source), str(target)]) == 0
    answer = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (answer["dataset"], answer["folds"], answer["labels"]) == (TASK, ["fold_0"], 17)
    assert answer["bytes"] > 1000
    assert command_line.main(["convert-model", str(tmp_path / "nothing"), str(tmp_path / "x")]) == 107
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["problem"]["code"] == "MODEL_FOLDER_MISSING"


def test_plans_are_refused_before_torch_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import TotalSegmentatorEngine.model_install.v1_folder, TotalSegmentatorEngine.model_install.commands\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(MODULE_FOLDER)], check=False, cwd=tmp_path).returncode == 0
