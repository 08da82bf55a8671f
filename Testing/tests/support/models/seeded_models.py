"""Makes small nnU-Net v2 model folders with seeded random weights, in the form that nnU-Net's trainer writes."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue
from TotalSegmentatorWire.tables.structures import structure_table

TRAINER = "nnUNetTrainer"
PLANS = "nnUNetPlans"
CONFIGURATION = "3d_fullres"


def resampling_settings(function: str = "resample_data_or_seg_to_shape") -> dict[str, Any]:
    """The resampling part of a configuration as nnU-Net's planner writes it."""
    settings = {}
    for purpose, is_seg, order in (("data", False, 3), ("seg", True, 1), ("probabilities", False, 1)):
        settings[f"resampling_fn_{purpose}"] = function
        if function == "resample_torch_fornnunet":
            arguments = {"is_seg": is_seg, "force_separate_z": None, "memefficient_seg_resampling": False}
        else:
            arguments = {"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}
        settings[f"resampling_fn_{purpose}_kwargs"] = arguments
    return settings


def configuration_settings(
    patch_size: Sequence[int] = (16, 16, 16),
    spacing: Sequence[float] = (3.0, 3.0, 3.0),
    network: str = "plain",
    old_format: bool = False,
    resampling: str = "resample_data_or_seg_to_shape",
) -> dict[str, Any]:
    """One configuration of plans.json: a network of two stages with four and eight features."""
    settings = {
        "data_identifier": f"{PLANS}_{CONFIGURATION}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": 2,
        "patch_size": list(patch_size),
        "median_image_size_in_voxels": [32.0, 32.0, 32.0],
        "spacing": list(spacing),
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "batch_dice": True,
        **resampling_settings(resampling),
    }
    kernels, strides = [[3, 3, 3], [3, 3, 3]], [[1, 1, 1], [2, 2, 2]]
    if old_format:
        return settings | {
            "UNet_class_name": "PlainConvUNet" if network == "plain" else "ResidualEncoderUNet",
            "UNet_base_num_features": 4,
            "n_conv_per_stage_encoder": [1, 1],
            "n_conv_per_stage_decoder": [1],
            "num_pool_per_axis": [1, 1, 1],
            "pool_op_kernel_sizes": strides,
            "conv_kernel_sizes": kernels,
            "unet_max_num_features": 320,
        }
    class_name, blocks = ("PlainConvUNet", "n_conv_per_stage")
    if network == "residual":
        class_name, blocks = ("ResidualEncoderUNet", "n_blocks_per_stage")
    arguments = {
        "n_stages": 2,
        "features_per_stage": [4, 8],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": kernels,
        "strides": strides,
        blocks: [1, 1],
        "n_conv_per_stage_decoder": [1],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    architecture = {
        "network_class_name": f"dynamic_network_architectures.architectures.unet.{class_name}",
        "arch_kwargs": arguments,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return settings | {"architecture": architecture}


def plans_of(
    settings: dict[str, Any],
    dataset: str = "Dataset900_Seeded",
    reader: str = "NibabelIOWithReorient",
    transpose_forward: Sequence[int] = (0, 1, 2),
) -> dict[str, Any]:
    forward = list(transpose_forward)
    return {
        "dataset_name": dataset,
        "plans_name": PLANS,
        "original_median_spacing_after_transp": settings["spacing"],
        "original_median_shape_after_transp": [32, 32, 32],
        "image_reader_writer": reader,
        "transpose_forward": forward,
        "transpose_backward": [forward.index(axis) for axis in range(3)],
        "configurations": {CONFIGURATION: settings},
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {
                **{"max": 3000.0, "mean": -50.4, "median": 20.0, "min": -1024.0},
                **{"percentile_00_5": -1004.0, "percentile_99_5": 1588.0, "std": 503.4},
            }
        },
    }


def dataset_json_of(names: Sequence[str]) -> dict[str, Any]:
    labels = {"background": 0, **{name: number for number, name in enumerate(names, start=1)}}
    return {"channel_names": {"0": "CT"}, "labels": labels, "numTraining": 1, "file_ending": ".nii.gz"}


def make_model_folder(
    dataset_folder: Path,
    names: Sequence[str] = ("liver", "spleen", "aorta", "something_new"),
    plans: dict[str, Any] | None = None,
    dataset_json: dict[str, Any] | None = None,
    leaf: str = f"{TRAINER}__{PLANS}__{CONFIGURATION}",
    folds: int = 1,
    mirroring_axes: tuple[int, ...] | None = None,
    seed: int = 0,
    network: Callable[[dict[str, Any], dict[str, Any], int], torch.nn.Module] | None = None,
    configuration: str = CONFIGURATION,
) -> Path:
    """Writes ``<dataset_folder>/<leaf>`` with plans, dataset.json and the weights of ``folds`` folds; returns it.

    ``network`` makes the weights of one fold from plans, dataset.json and seed; without it ``judge_network`` does.
    ``configuration`` is the one that the weights say they were trained for.
    """
    folder = dataset_folder / leaf
    plans = plans if plans is not None else plans_of(configuration_settings(), dataset=dataset_folder.name)
    dataset_json = dataset_json if dataset_json is not None else dataset_json_of(names)
    folder.mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(dataset_json))
    for fold in range(folds):
        made = (network or judge_network)(plans, dataset_json, seed + fold)
        (folder / f"fold_{fold}").mkdir()
        content = trainer_checkpoint(made.state_dict(), plans, dataset_json, mirroring_axes, configuration)
        torch.save(content, folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder


def judge_network(plans: dict[str, Any], dataset_json: dict[str, Any], seed: int) -> torch.nn.Module:
    """The plans' network by nnU-Net's own code, with random weights that spread the labels over an image."""
    configuration = PlansManager(json.loads(json.dumps(plans))).get_configuration(CONFIGURATION)
    class_name = configuration.network_arch_class_name.replace("residual_unet", "unet")
    torch.manual_seed(seed)
    network = get_network_from_plans(
        class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        input_channels=1,
        output_channels=len([name for name in dataset_json["labels"] if name != "ignore"]),
        deep_supervision=False,
    )
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network.eval()


def trainer_checkpoint(
    weights: dict[str, torch.Tensor],
    plans: dict[str, Any],
    dataset_json: dict[str, Any],
    mirroring_axes: tuple[int, ...] | None = None,
    configuration: str = CONFIGURATION,
) -> dict[str, Any]:
    """Every key that nnU-Net's trainer saves, its log with NumPy scalars included."""
    moments = {0: {"momentum_buffer": torch.zeros(3)}}
    return {
        "network_weights": weights,
        "optimizer_state": {"state": moments, "param_groups": [{"lr": 0.01, "params": [0]}]},
        "grad_scaler_state": {"scale": 65536.0, "growth_factor": 2.0},
        "logging": {
            "mean_fg_dice": [np.float64(0.5), np.float32(0.75)],
            "epoch_start_timestamps": [1.5],
            "dice_per_class_or_region": [[np.float64(0.1), np.float64(0.2)]],
        },
        "_best_ema": np.float64(0.7),
        "current_epoch": 1000,
        "init_args": {
            "plans": plans,
            "configuration": configuration,
            "fold": 0,
            "dataset_json": dataset_json,
            "device": torch.device("cuda"),
        },
        "trainer_name": TRAINER,
        "inference_allowed_mirroring_axes": mirroring_axes,
    }


def save_with_numpy_module(content: Any, path: Path, core: str) -> None:
    """torch.save with NumPy's scalars named under ``core``: "numpy.core" (NumPy 1) or "numpy._core" (NumPy 2)."""

    class Pickler(pickle._Pickler):
        def save_global(self, obj: Any, name: str | None = None) -> None:
            if getattr(obj, "__name__", "") == "scalar" and "multiarray" in str(getattr(obj, "__module__", "")):
                self.write(f"c{core}.multiarray\nscalar\n".encode())
                self.memoize(obj)
            else:
                super().save_global(obj, name)

    torch.save(content, path, pickle_module=SimpleNamespace(__name__="pickle", Pickler=Pickler))


def names_of_part(model: CatalogueModel, part_name: str) -> list[str]:
    """The structures that a part of a model of the catalogue knows, in the order of its labels."""
    table = structure_table(model.structures)
    if len(model.parts) == 1:
        return [row.name for row in table] + dropped_names(model)
    own = [row for row in table if row.part_model == part_name.split("_")[0]]
    return [row.name for row in sorted(own, key=lambda row: row.label_in_part)]


def dropped_names(model: CatalogueModel) -> list[str]:
    """Labels of the network beyond the label table, which the published program drops; assumed names."""
    return [f"dropped_{label}" for step in model.steps for label in step.labels]


def assumed_spacing(model: CatalogueModel) -> list[float]:
    """mm along z, y, x in the plans of a model of the catalogue: what its CT is resampled to; where that is left to the
    plans, which are not published, an assumption."""
    if model.resample_mm is not None:
        return list(reversed(model.resample_mm))
    return [model.spacing_mm] * 3 if model.spacing_mm is not None else [2.5, 1.5, 1.5]


def make_catalogue_model(models_folder: Path, model_id: str, patch_size: Sequence[int] = (16, 16, 16)) -> list[Path]:
    """All parts of a model of the catalogue, with seeded weights, where an installation would put them."""
    model = read_catalogue()[model_id]
    folders = []
    for number, (part, path) in enumerate(zip(model.parts, model.part_folders(models_folder), strict=True)):
        folders.append(
            make_model_folder(
                path.parent,
                plans=plans_of_part(model, part.name, patch_size),
                dataset_json=dataset_json_of(names_of_part(model, part.name)),
                leaf=path.name,
                mirroring_axes=None if "nomirror" in model.trainer.lower().replace("_", "") else (0, 1, 2),
                seed=10 + number,
                configuration=model.configuration,
            )
        )
    return folders


def plans_of_part(model: CatalogueModel, part_name: str, patch_size: Sequence[int] = (16, 16, 16)) -> dict[str, Any]:
    """Patch, network and, of some models, spacing are assumed; the name of the configuration is the published one."""
    plans = plans_of(configuration_settings(patch_size, assumed_spacing(model), old_format=True), dataset=part_name)
    plans["configurations"].setdefault(model.configuration, {"inherits_from": CONFIGURATION})
    return plans


LEAF = "nnUNetTrainer__nnUNetPlans__3d_fullres"


def write_folder(
    dataset: Path, plans: dict | None = None, dataset_json: dict | None = None, leaf: str = LEAF, weights: bool = True
) -> Path:
    """A folder whose JSON files are as given; its weight file is empty, since nobody here opens it."""
    folder = dataset / leaf
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text(json.dumps(plans or plans_of(configuration_settings(), dataset.name)))
    (folder / "dataset.json").write_text(json.dumps(dataset_json or dataset_json_of(["liver", "spleen"])))
    if weights:
        (folder / "fold_0" / "checkpoint_final.pth").write_bytes(b"")
    return folder
