"""Makes an nnU-Net v2 model folder of an nnU-Net v1 folder: the same network, normalisation, spacing, patch and labels.

What differs from v1's own predictor lies outside the folder: v2 normalises before it resamples, and it averages logits
where v1 averages softmax; a profile of the engine chooses the latter.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from TotalSegmentatorWire.disk_space import disk_full, is_disk_full
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue

from TotalSegmentatorEngine.inference.network import load_model
from TotalSegmentatorEngine.model_install.model_check import ModelReport, check_model, network_shapes
from TotalSegmentatorEngine.model_install.v1_folder import V1Folder, V1Plans, read_v1_folder
from TotalSegmentatorEngine.model_install.v1_weights import converted_weights, fused_kernels
from TotalSegmentatorEngine.models.checkpoint import load_safely
from TotalSegmentatorEngine.models.find_model import published_numbers
from TotalSegmentatorEngine.models.model_folder import CHECKPOINT_NAME, read_model_folder

_NORMALISATIONS = {"CT": "CTNormalization", "nonCT": "ZScoreNormalization", "noNorm": "NoNormalization"}
_PUBLISHER = "TotalSegmentator"
_TASK = re.compile(r"Task\d{3}_.+")
_SEED = 1701


def convert_model(source: Path, target: Path, configuration: str | None = None, task: str | None = None) -> ModelReport:
    """Writes the model folder ``target``, which must not exist, whole or not at all.

    Without ``configuration`` the last part of the target's name tells it, else it is 3d_fullres. ``task`` is v1's name
    of the dataset, "Task251_..."; without it the folders around ``source`` tell it. Raises SegmentationError:
    what ``read_v1_folder`` and ``check_model`` raise, OUTPUT_NOT_WRITABLE where ``target`` exists, FOLDER_NOT_WRITABLE,
    DISK_FULL.
    """
    named = target.name.split("__")[-1]
    configuration = configuration or (named if named.startswith("3d_") else "3d_fullres")
    folder = read_v1_folder(source, configuration)
    if target.exists():
        raise SegmentationError("OUTPUT_NOT_WRITABLE")
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        draft.mkdir(parents=True)
        _write(folder, draft, configuration, task or _task_of(source))
        report = check_model(draft)
        _run_one_tile(draft)
        draft.rename(target)
    except OSError as error:
        raise _writing_failed(error, folder, target) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return report


def _task_of(source: Path) -> str:
    folders = [parent.name for parent in source.absolute().parents]
    return next((name for name in folders if _TASK.fullmatch(name)), source.absolute().parent.name)


def _writing_failed(error: OSError, folder: V1Folder, target: Path) -> SegmentationError:
    if not is_disk_full(error):
        return SegmentationError("FOLDER_NOT_WRITABLE", purpose="the models")
    return disk_full(target.absolute().parent, sum(path.stat().st_size for path in folder.folds.values()))


# -- what is written ---------------------------------------------------------------------------------------------------


def _write(folder: V1Folder, target: Path, configuration: str, task: str) -> None:
    published = _published_as(task, folder.plans)
    task = task if published is None else published[1]
    (target / "plans.json").write_text(
        json.dumps(_plans_json(folder, configuration, task, published is not None), indent=1), encoding="utf-8"
    )
    (target / "dataset.json").write_text(json.dumps(_dataset_json(folder.plans, published), indent=1), encoding="utf-8")
    for fold in folder.folds:  # an empty file is enough for the folder to be read
        (target / fold).mkdir()
        (target / fold / CHECKPOINT_NAME).touch()
    shapes = network_shapes(read_model_folder(target))
    for fold, path in folder.folds.items():
        weights = converted_weights(_state_of(path), folder.plans, shapes)
        content = {
            "network_weights": weights,
            "trainer_name": "nnUNetTrainer" if folder.mirroring_axes else "nnUNetTrainerNoMirroring",
            "init_args": {"configuration": configuration},
            "inference_allowed_mirroring_axes": folder.mirroring_axes or None,
        }
        torch.save(content, target / fold / CHECKPOINT_NAME)


def _state_of(path: Path) -> dict[str, torch.Tensor]:
    content = load_safely(path)
    state = content.get("state_dict") if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise SegmentationError("MODEL_DAMAGED", detail="the weight file has no state_dict")
    return state


def _published_as(task: str, plans: V1Plans) -> tuple[CatalogueModel, str] | None:
    """The model and part of the catalogue that ``task`` is. Task numbers are given by everyone to what they like, so
    the publisher's name and the number of labels must agree as well."""
    for model in read_catalogue().values():
        for part in model.parts:
            is_same = part.name.split("_")[:2] == task.split("_")[:2] and f"_{_PUBLISHER}_" in part.name
            if is_same and len(published_numbers(model, part.name)) == plans.label_count:
                return model, part.name
    return None


def _dataset_json(plans: V1Plans, published: tuple[CatalogueModel, str] | None) -> dict[str, Any]:
    """v1 keeps no names of labels in a model folder: unknown ones are called by their numbers."""
    names = {str(number): number for number in range(1, plans.label_count + 1)}
    if published is not None:
        names = published_numbers(*published)
    return {
        "channel_names": {"0": "CT" if plans.normalisation == "CT" else "image"},
        "labels": {"background": 0, **names},
        "numTraining": 0,
        "file_ending": ".nii.gz",
    }


def _plans_json(folder: V1Folder, configuration: str, task: str, is_published: bool) -> dict[str, Any]:
    """``is_published``: TotalSegmentator hands v1 images turned to RAS; v1 by itself reads them as they lie."""
    plans = folder.plans
    names = folder.path.name.split("__")
    forward = list(plans.transpose_forward)
    intensities = {name: plans.intensities.get(name, 0.0) for name in ("max", "mean", "median", "min")}
    intensities |= {name: plans.intensities.get(name, 0.0) for name in ("percentile_00_5", "percentile_99_5")}
    return {
        "dataset_name": task,
        "plans_name": names[1] if len(names) > 1 else "nnUNetPlansv2.1",
        "original_median_spacing_after_transp": list(plans.spacing),
        "original_median_shape_after_transp": list(plans.median_shape),
        "image_reader_writer": "NibabelIOWithReorient" if is_published else "SimpleITKIO",
        "transpose_forward": forward,
        "transpose_backward": [forward.index(axis) for axis in range(3)],
        "configurations": {configuration: _configuration(plans, configuration)},
        "experiment_planner_used": "ExperimentPlanner3D_v21",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities | {"std": plans.intensities.get("std", 1.0)}},
        "converted_from": f"nnU-Net v1, trainer {folder.trainer}",
    }


def _configuration(plans: V1Plans, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "data_identifier": f"converted_{name}",
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": plans.batch_size,
        "patch_size": list(plans.patch_size),
        "median_image_size_in_voxels": list(plans.median_shape),
        "spacing": list(plans.spacing),
        "normalization_schemes": [_NORMALISATIONS[plans.normalisation]],
        "use_mask_for_norm": [False],
        "batch_dice": True,
    }
    for purpose, is_seg, order in (("data", False, 3), ("seg", True, 1), ("probabilities", False, 1)):
        settings[f"resampling_fn_{purpose}"] = "resample_data_or_seg_to_shape"
        settings[f"resampling_fn_{purpose}_kwargs"] = {
            **{"is_seg": is_seg, "order": order, "order_z": 0, "force_separate_z": None}
        }
    return settings | {"architecture": _architecture(plans)}


def _architecture(plans: V1Plans) -> dict[str, Any]:
    """Generic_UNet as nnUNetTrainerV2 makes it (initialize_network): biases on convolutions, InstanceNorm with affine
    weights and eps 1e-5, LeakyReLU of 0.01."""
    stages = len(plans.kernels)
    stacked = plans.stacked_convolutions
    arguments = {
        "n_stages": stages,
        "features_per_stage": plans.features,
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [list(kernel) for kernel in fused_kernels(plans)],
        "strides": [[1, 1, 1], *(list(pool) for pool in plans.pools)],
        "n_conv_per_stage": [*[plans.convolutions] * (stages - 1), stacked],
        "n_conv_per_stage_decoder": [stacked] * (stages - 1),
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"negative_slope": 0.01, "inplace": True},
    }
    return {
        "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
        "arch_kwargs": arguments,
        "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
    }


# -- the trial ---------------------------------------------------------------------------------------------------------


def _run_one_tile(path: Path) -> None:
    """Each fold computes one whole patch of noise. Raises SegmentationError("MODEL_DAMAGED") where it is no number."""
    folder = read_model_folder(path)
    tile = torch.randn((1, 1, *folder.patch_size), generator=torch.Generator().manual_seed(_SEED))
    loaded = load_model(folder, torch.device("cpu"))
    for network in loaded.networks:
        try:
            with torch.inference_mode():
                logits = network(tile)
        except ValueError as error:  # a patch that its strides leave nothing of
            raise SegmentationError("MODEL_DAMAGED", detail="its patch size does not fit its network") from error
        if logits.shape != (1, loaded.outputs, *folder.patch_size) or not bool(torch.isfinite(logits).all()):
            raise SegmentationError("MODEL_DAMAGED", detail="the converted network does not compute finite values")
