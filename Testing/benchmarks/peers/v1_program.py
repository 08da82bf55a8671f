"""Runs in the environment of nnU-Net v1: makes folders with v1's own network, and what v1's predictor makes of them.

``v1_program.py make SHAPES.json`` writes a folder with seeded weights for each entry of a list (see ``make``).
``v1_program.py logits FOLDER TILE.npy LOGITS.npy`` computes one tile, (z, y, x), already normalised.
``v1_program.py predict FOLDER CT LABELS.npy PROBABILITIES.npy`` is v1's predictor on one CT, without mirroring.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

for _variable in ("nnUNet_raw_data_base", "nnUNet_preprocessed", "RESULTS_FOLDER"):
    os.environ.setdefault(_variable, tempfile.gettempdir())
# v1 loads its weights with torch.load as it was before 2.6; these files are our own
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402
from nnunet.training.model_restore import load_model_and_checkpoint_files  # noqa: E402

CHECKPOINT = "model_final_checkpoint"
trainers = importlib.import_module("nnunet.training.network_training.nnUNetTrainerV2")


def make(shapes: list[dict[str, Any]]) -> None:
    """Each shape: ``folder`` (.../Task251_.../<trainer>__<plans>), ``seed``, and what ``plans_of`` reads."""
    for shape in shapes:
        folder = Path(shape["folder"])
        folder.mkdir(parents=True)
        plans = plans_of(shape)
        with (folder / "plans.pkl").open("wb") as stream:
            pickle.dump(plans, stream)
        for fold in range(shape.get("folds", 1)):
            _train_nothing(folder, plans, fold, shape["seed"] + fold)


def plans_of(shape: dict[str, Any]) -> dict[str, Any]:
    """plans.pkl as v1's planner writes it (experiment_planner_baseline_3DUNet.py), NumPy's types included."""
    spacing = np.array(shape["spacing"], dtype=np.float64)
    pools = shape["pools"]
    stage = {
        "batch_size": 2,
        "num_pool_per_axis": [int(sum(pool[axis] == 2 for pool in pools)) for axis in range(3)],
        "patch_size": np.array(shape["patch_size"]),
        "median_patient_size_in_voxels": np.array([300, 250, 250]),
        "current_spacing": spacing,
        "original_spacing": spacing,
        "do_dummy_2D_data_aug": False,
        "pool_op_kernel_sizes": pools,
        "conv_kernel_sizes": shape.get("kernels", [[3, 3, 3]] * (len(pools) + 1)),
    }
    intensities = OrderedDict(local_props=OrderedDict(), median=np.float32(-20.0), mean=np.float32(-50.4))
    intensities.update(sd=np.float32(503.4), mn=np.float32(-1024.0), mx=np.float32(3071.0))
    intensities.update(percentile_99_5=np.float64(1588.0), percentile_00_5=np.float64(-1004.0))
    classes = list(range(1, shape["classes"] + 1))
    forward = shape.get("transpose_forward", [0, 1, 2])
    return {
        "num_stages": 1,
        "num_modalities": 1,
        "modalities": {0: "CT"},
        "normalization_schemes": OrderedDict([(0, "CT")]),
        "dataset_properties": {
            "all_sizes": [(300, 250, 250)],
            "all_spacings": [spacing],
            "all_classes": classes,
            "modalities": {0: "CT"},
            "intensityproperties": OrderedDict([(0, intensities)]),
            "size_reductions": OrderedDict([("case_0", np.float64(1.0))]),
        },
        "list_of_npz_files": ["case_0.npz"],
        "original_spacings": [spacing],
        "original_sizes": [(300, 250, 250)],
        "preprocessed_data_folder": "preprocessed",
        "num_classes": len(classes),
        "all_classes": classes,
        "base_num_features": shape.get("features", 32),
        "use_mask_for_norm": OrderedDict([(0, False)]),
        "keep_only_largest_region": None,
        "min_region_size_per_class": None,
        "min_size_per_class": None,
        "transpose_forward": forward,
        "transpose_backward": [forward.index(axis) for axis in range(3)],
        "data_identifier": "nnUNetData_plans_v2.1",
        "plans_per_stage": {0: stage},
        "preprocessor_name": "GenericPreprocessor",
        "conv_per_stage": shape.get("convolutions", 2),
    }


def _train_nothing(folder: Path, plans: dict[str, Any], fold: int, seed: int) -> None:
    """v1's trainer with the weights that it starts from, spread out, saved as at the end of a training."""
    torch.manual_seed(seed)
    trainer = _trainer(folder)(
        str(folder / "plans.pkl"), fold, str(folder), "preprocessed", True, 0, False, True, False
    )
    trainer.process_plans(plans)
    trainer.initialize_network()
    trainer.initialize_optimizer_and_scheduler()
    with torch.no_grad():
        for parameter in trainer.network.parameters():
            parameter.add_(0.1 * parameter.abs().mean() * torch.randn_like(parameter))
            if parameter.dim() == 1:  # scales and biases, which begin as ones and zeros
                parameter.add_(0.1 * torch.randn_like(parameter))
    (folder / f"fold_{fold}").mkdir(exist_ok=True)
    trainer.all_tr_losses = [np.mean(np.array([0.5], dtype=np.float32))]
    trainer.save_checkpoint(str(folder / f"fold_{fold}" / f"{CHECKPOINT}.model"))


def logits(folder: Path, tile: Path, output: Path) -> None:
    trainer = _restored(folder)
    data = torch.from_numpy(np.load(tile))[None, None]
    with torch.inference_mode():
        np.save(output, trainer.network(data)[0].numpy())


def predict(folder: Path, ct: Path, labels: Path, probabilities: Path) -> None:
    """Everything but the export, whose resampling back has nothing to do where the spacing is the network's."""
    trainer = _restored(folder)
    data, _, _ = trainer.preprocess_patient([str(ct)])
    predicted, softmax = trainer.predict_preprocessed_data_return_seg_and_softmax(
        data, do_mirroring=False, mirror_axes=(), step_size=0.5, use_gaussian=True, mixed_precision=False, verbose=False
    )
    back = trainer.plans["transpose_backward"]
    np.save(labels, predicted.transpose(back).astype(np.uint8))
    np.save(probabilities, softmax.astype(np.float32).transpose([0, *(axis + 1 for axis in back)]))


def _trainer(folder: Path) -> type:
    """nnUNetTrainerV2 under the name that the folder has: nnunet-customized has more names for it than nnunet.

    v1 finds a trainer by its name in the modules of the package.
    """
    name = folder.name.split("__")[0]
    if not hasattr(trainers, name):
        setattr(trainers, name, type(name, (trainers.nnUNetTrainerV2,), {}))
    return getattr(trainers, name)


def _restored(folder: Path) -> Any:
    """By v1's own loading of a folder, with the weights of its first fold."""
    _trainer(folder)
    torch.set_num_threads(os.cpu_count() or 1)
    trainer, weights = load_model_and_checkpoint_files(str(folder), None, False, CHECKPOINT)
    trainer.load_checkpoint_ram(weights[0], False)
    trainer.network.eval()
    trainer.network.do_ds = False
    return trainer


def main(arguments: list[str]) -> None:
    command, *paths = arguments
    if command == "make":
        make(json.loads(Path(paths[0]).read_text(encoding="utf-8")))
    elif command == "logits":
        logits(*map(Path, paths))
    else:
        predict(*map(Path, paths))


if __name__ == "__main__":
    main(sys.argv[1:])
