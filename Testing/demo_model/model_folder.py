"""Write and load the demo model's folder in nnU-Net v2's own layout (plans.json, dataset.json, fold_0)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from phantom.phantom import read_label_table

DESCRIPTION = "demo model, phantom only, never for patients"
DATASET_NAME = "Dataset900_PhantomDemo104"
CONFIGURATION = "3d_fullres"
SPACING_MM = (4.0, 4.0, 4.0)  # z, y, x
PATCH = (64, 72, 112)  # z, y, x: the whole cross-section of the phantom, so that left and right are always both seen
FEATURES = (16, 32, 64, 80, 80)  # as many as fit into 8 MB
STRIDES = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 1, 2))  # 72 rows can be halved three times only


def model_path(root: Path | str) -> Path:
    """Return the folder that holds plans.json below `root`."""
    return Path(root) / DATASET_NAME / f"nnUNetTrainer__nnUNetPlans__{CONFIGURATION}"


def intensity_properties(values: np.ndarray) -> dict[str, float]:
    """Return nnU-Net's fingerprint of the CT numbers (1-d array, HU) inside all structures."""
    low, high = np.percentile(values, (0.5, 99.5))
    return {
        "max": float(values.max()),
        "mean": float(values.mean(dtype=np.float64)),
        "median": float(np.median(values)),
        "min": float(values.min()),
        "percentile_00_5": float(low),
        "percentile_99_5": float(high),
        "std": float(values.std(dtype=np.float64)),
    }


def make_plans(intensities: dict[str, float], median_shape: tuple[int, int, int]) -> dict:
    """Return plans in the format of nnU-Net >= 2.4; `median_shape` is (z, y, x) at the model's spacing."""
    resampling = {"order_z": 0, "force_separate_z": None}
    stages = len(FEATURES)
    architecture = {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": {
            "n_stages": stages,
            "features_per_stage": list(FEATURES),
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "kernel_sizes": [[3, 3, 3]] * stages,
            "strides": [list(stride) for stride in STRIDES],
            "n_conv_per_stage": [2] * stages,
            "n_conv_per_stage_decoder": [2] * (stages - 1),
            "conv_bias": True,
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "norm_op_kwargs": {"eps": 1e-5, "affine": True},
            "dropout_op": None,
            "dropout_op_kwargs": None,
            "nonlin": "torch.nn.LeakyReLU",
            "nonlin_kwargs": {"inplace": True},
        },
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }
    return {
        "description": DESCRIPTION,
        "dataset_name": DATASET_NAME,
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": list(SPACING_MM),
        "original_median_shape_after_transp": list(median_shape),
        "image_reader_writer": "NibabelIOWithReorient",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "configurations": {
            CONFIGURATION: {
                "data_identifier": f"nnUNetPlans_{CONFIGURATION}",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": list(PATCH),
                "median_image_size_in_voxels": [float(v) for v in median_shape],
                "spacing": list(SPACING_MM),
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, **resampling},
                "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, **resampling},
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities_kwargs": {"is_seg": False, "order": 1, **resampling},
                "architecture": architecture,
                "batch_dice": True,
            }
        },
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities},
    }


def make_dataset(training_cases: int) -> dict:
    """Return dataset.json's content: the 104 names in the order of the structure table."""
    return {
        "name": DATASET_NAME,
        "description": DESCRIPTION,
        "totalsegmentator_module_demo": True,
        "channel_names": {"0": "CT"},
        "labels": {"background": 0, **read_label_table()},
        "numTraining": training_cases,
        "file_ending": ".nii.gz",
        "overwrite_image_reader_writer": "NibabelIOWithReorient",
    }


def build_network(plans: dict, dataset: dict) -> torch.nn.Module:
    """Return the network with fresh weights, built by nnU-Net from the plans."""
    manager = PlansManager(plans)
    configuration = manager.get_configuration(CONFIGURATION)
    return get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        manager.get_label_manager(dataset).num_segmentation_heads,
        allow_init=True,
        deep_supervision=False,
    )


def write_folder(folder: Path, plans: dict, dataset: dict, weights: dict[str, torch.Tensor], step: int) -> None:
    """Write the three files; the checkpoint is replaced in one go, so that a reader never sees half of it."""
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    (folder / "plans.json").write_text(json.dumps(plans, indent=1) + "\n", encoding="utf-8")
    (folder / "dataset.json").write_text(json.dumps(dataset, indent=1) + "\n", encoding="utf-8")
    checkpoint = {
        "network_weights": weights,
        "optimizer_state": None,  # half of a trainer's file, and of no use for prediction
        "grad_scaler_state": None,
        "logging": {},
        "_best_ema": None,
        "current_epoch": int(step),
        "init_args": {"plans": plans, "configuration": CONFIGURATION, "fold": 0, "dataset_json": dataset},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": None,
    }
    path = folder / "fold_0" / "checkpoint_final.pth"
    temporary = path.with_suffix(".part")
    torch.save(checkpoint, temporary)
    temporary.replace(path)


def load_folder(folder: Path) -> tuple[dict, dict, torch.nn.Module]:
    """Return plans, dataset.json and the trained network in evaluation mode."""
    plans = json.loads((folder / "plans.json").read_text(encoding="utf-8"))
    dataset = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    network = build_network(plans, dataset)
    checkpoint = torch.load(folder / "fold_0" / "checkpoint_final.pth", map_location="cpu", weights_only=True)
    network.load_state_dict(checkpoint["network_weights"])
    return plans, dataset, network.eval()
