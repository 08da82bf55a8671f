"""Weight files are read without executing anything, and must fit the network of the plans."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from seeded_models import (
    configuration_settings,
    dataset_json_of,
    judge_network,
    make_model_folder,
    plans_of,
    save_with_numpy_module,
    trainer_checkpoint,
)
from TotalSegmentatorEngine.inference.network import load_model
from TotalSegmentatorEngine.models.checkpoint import load_safely, read_checkpoint
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorWire.errors.problem import SegmentationError

CPU = torch.device("cpu")


def example_content(mirroring_axes: tuple[int, ...] | None = None) -> dict:
    plans, dataset_json = plans_of(configuration_settings()), dataset_json_of(["liver"])
    return trainer_checkpoint(judge_network(plans, dataset_json, 1).state_dict(), plans, dataset_json, mirroring_axes)


def refusal_of(path: Path) -> str:
    with pytest.raises(SegmentationError) as caught:
        read_checkpoint(path)
    return caught.value.code


@pytest.mark.parametrize("core", ["numpy.core", "numpy._core"])
def test_the_trainers_own_file_is_read(tmp_path: Path, core: str) -> None:
    content = example_content((0, 1))
    path = tmp_path / "checkpoint_final.pth"
    save_with_numpy_module(content, path, core)
    with zipfile.ZipFile(path) as archive:
        pickled = next(archive.read(name) for name in archive.namelist() if name.endswith("data.pkl"))
    assert f"c{core}.multiarray\nscalar".encode() in pickled
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)
    checkpoint = read_checkpoint(path)
    assert checkpoint.mirroring_axes == (0, 1)
    assert checkpoint.configuration == "3d_fullres"
    for name, tensor in content["network_weights"].items():
        assert torch.equal(checkpoint.weights[name], tensor), name
    log = load_safely(path)["logging"]["mean_fg_dice"]
    assert log == [0.5, 0.75] and type(log[1]) is np.float32, "numbers keep their values and types"


def test_bare_weights_are_read_too(tmp_path: Path) -> None:
    content = {"network_weights": example_content()["network_weights"]}
    torch.save(content, tmp_path / "bare.pth")
    checkpoint = read_checkpoint(tmp_path / "bare.pth")
    assert checkpoint.mirroring_axes == () and checkpoint.configuration is None


class Canary:
    """Leaves a file behind when it is unpickled by an ordinary unpickler."""

    def __init__(self, trace: Path, call: object = os.mkdir) -> None:
        self.trace, self.call = trace, call

    def __reduce__(self) -> tuple:
        return self.call, (str(self.trace),)


@pytest.mark.parametrize("call", [os.mkdir, os.system, eval, torch.load, np.load, getattr])
def test_a_file_that_calls_a_function_is_refused_and_nothing_runs(tmp_path: Path, call: object) -> None:
    trace = tmp_path / "trace"
    content = example_content() | {"logging": Canary(trace, call)}
    torch.save(content, tmp_path / "evil.pth")
    assert refusal_of(tmp_path / "evil.pth") == "MODEL_UNSAFE"
    assert not trace.exists()


def test_the_canary_would_have_left_its_trace(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Canary(tmp_path / "trace")))
    assert (tmp_path / "trace").exists()


def test_numpy_objects_and_other_codecs_are_refused(tmp_path: Path) -> None:
    for number, content in enumerate((np.zeros(3), np.array([None]), np.dtype("O"), np.dtype([("a", "f4")]))):
        path = tmp_path / f"{number}.pth"
        torch.save({"network_weights": {}, "logging": content}, path)
        assert refusal_of(path) == "MODEL_UNSAFE", content
    path = tmp_path / "old.pth"
    torch.save(example_content(), path, _use_new_zipfile_serialization=False)
    assert refusal_of(path) == "MODEL_DAMAGED", "no archive"


def test_torchscript_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "script.pth"
    torch.jit.save(torch.jit.trace(torch.nn.Conv3d(1, 1, 1), torch.zeros(1, 1, 2, 2, 2)), str(path))
    assert refusal_of(path) == "MODEL_UNSAFE"


def test_cut_off_empty_and_foreign_files_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pth"
    torch.save(example_content(), path)
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"not a zip file at all", whole[:-200]):
        path.write_bytes(content)
        assert refusal_of(path) == "MODEL_DAMAGED"
    torch.save({"state_dict": {}}, path)
    assert refusal_of(path) == "MODEL_DAMAGED"
    torch.save(example_content() | {"inference_allowed_mirroring_axes": (7,)}, path)
    assert refusal_of(path) == "MODEL_DAMAGED"


# -- weights and plans -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["plain", "residual"])
@pytest.mark.parametrize("old_format", [False, True])
def test_the_network_gives_what_nnunets_own_gives(tmp_path: Path, network: str, old_format: bool) -> None:
    plans = plans_of(configuration_settings(network=network, old_format=old_format))
    dataset_json = dataset_json_of(["liver", "spleen"])
    folder = read_model_folder(make_model_folder(tmp_path / "D", plans=plans, dataset_json=dataset_json, seed=5))
    loaded = load_model(folder, CPU)
    tile = torch.randn(1, 1, 16, 16, 16)
    with torch.inference_mode():
        expected = judge_network(plans, dataset_json, 5)(tile)
        assert torch.allclose(loaded.networks[0](tile), expected, atol=1e-5)
    assert loaded.outputs == 3 and loaded.bytes > 0


def test_weights_of_another_shape_name_or_configuration_are_refused(tmp_path: Path) -> None:
    path = make_model_folder(tmp_path / "D")
    weight_file = path / "fold_0" / "checkpoint_final.pth"
    content = load_safely(weight_file)
    weights = content["network_weights"]
    name = "encoder.stages.0.0.convs.0.conv.weight"
    extra = weights | {"extra": torch.zeros(1)}
    missing = {key: tensor for key, tensor in weights.items() if key != name}
    larger = weights | {name: torch.zeros(5, 1, 3, 3, 3)}
    for changed in (extra, missing, larger):
        torch.save({"network_weights": changed}, weight_file)
        with pytest.raises(SegmentationError) as caught:
            load_model(read_model_folder(path), CPU)
        assert caught.value.code == "MODEL_DAMAGED"
    torch.save({"network_weights": weights, "init_args": {"configuration": "2d"}}, weight_file)
    with pytest.raises(SegmentationError) as caught:
        load_model(read_model_folder(path), CPU)
    assert caught.value.code == "MODEL_DAMAGED"


def test_plans_that_describe_no_network_are_damaged(tmp_path: Path) -> None:
    path = make_model_folder(tmp_path / "D")
    settings = configuration_settings()
    settings["architecture"]["arch_kwargs"]["n_conv_per_stage"] = [1, 1, 1, 1]
    folder = read_model_folder(path)
    folder.plans["configurations"]["3d_fullres"] = settings
    with pytest.raises(SegmentationError) as caught:
        load_model(folder, CPU)
    assert caught.value.code == "MODEL_DAMAGED"
