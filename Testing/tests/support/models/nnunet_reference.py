"""What nnU-Net's own predictor makes of a model folder and an image: the yardstick of the engine's tests."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from unittest import mock

import nibabel
import numpy as np
import torch
from nnunetv2.inference import predict_from_raw_data
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.inference.sliding_window_prediction import compute_gaussian
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager


def nnunet_labels(
    folder: Path,
    array: np.ndarray,
    ijk_to_ras: np.ndarray,
    step: float = 0.5,
    half_precision: bool = True,
    softmax: bool = False,
    mirroring: bool = True,
) -> np.ndarray:
    """uint8 labels (k, j, i) by nnU-Net's predictor of a trained folder, on the CPU, with all its folds.

    The image is oriented as the folder's image reader does, with nibabel alone. nnU-Net adds up tiles in float16, in
    which the Gaussian's smallest weights leave a single bit of the logits: near the corners of an image its labels are
    chance. ``half_precision=False`` lets it add up in float32, with everything else as it is. ``softmax`` lets it add
    up softmax instead of logits, with a float32 Gaussian, as nnU-Net v1 did. ``mirroring=False``: without mirror images
    even where the weights allow them.
    """
    plans = json.loads((folder / "plans.json").read_text())
    dataset_json = json.loads((folder / "dataset.json").read_text())
    image = nibabel.Nifti1Image(array.transpose(2, 1, 0).astype(np.float32), ijk_to_ras)
    original = nibabel.orientations.io_orientation(image.affine)
    if plans["image_reader_writer"] == "NibabelIOWithReorient":
        image = image.as_reoriented(original)
    data = np.asarray(image.dataobj, dtype=np.float32).transpose(2, 1, 0)[None]
    spacing = [float(length) for length in np.linalg.norm(image.affine[:3, :3], axis=0)[::-1]]
    predictor = _predictor(folder, plans, dataset_json, step, mirroring)
    if softmax:
        predictor.network.register_forward_hook(lambda _network, _inputs, logits: torch.softmax(logits, dim=1))
    with nullcontext() if half_precision else mock.patch.object(torch, "half", torch.float32), gaussian_of(softmax):
        labels = predictor.predict_single_npy_array(np.ascontiguousarray(data), {"spacing": spacing})
    labels = np.asarray(labels).transpose(2, 1, 0)
    if plans["image_reader_writer"] == "NibabelIOWithReorient":
        canonical = nibabel.orientations.axcodes2ornt("RAS")
        labels = nibabel.orientations.apply_orientation(
            labels, nibabel.orientations.ornt_transform(canonical, original)
        )
    return np.ascontiguousarray(labels.transpose(2, 1, 0)).astype(np.uint8)


def gaussian_of(softmax: bool) -> AbstractContextManager:
    """nnU-Net v1, which adds up softmax, has its Gaussian in float32; v2 in float16."""
    if not softmax:
        return nullcontext()
    return mock.patch.object(predict_from_raw_data, "compute_gaussian", partial(compute_gaussian, dtype=torch.float32))


def _predictor(folder: Path, plans: dict, dataset_json: dict, step: float, mirroring: bool) -> nnUNetPredictor:
    manager = PlansManager(plans)
    configuration = manager.get_configuration("3d_fullres")
    folds = sorted(folder.glob("fold_*/checkpoint_final.pth"))
    checkpoints = [torch.load(path, map_location="cpu", weights_only=False) for path in folds]
    network = get_network_from_plans(
        configuration.network_arch_class_name.replace("residual_unet", "unet"),
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        input_channels=1,
        output_channels=manager.get_label_manager(dataset_json).num_segmentation_heads,
        deep_supervision=False,
    )
    predictor = nnUNetPredictor(
        tile_step_size=step,
        use_gaussian=True,
        use_mirroring=mirroring,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    predictor.manual_initialization(
        network,
        manager,
        configuration,
        [checkpoint["network_weights"] for checkpoint in checkpoints],
        dataset_json,
        "nnUNetTrainer",
        checkpoints[0].get("inference_allowed_mirroring_axes"),
    )
    return predictor


def dice(first: np.ndarray, second: np.ndarray, label: int) -> float:
    """Dice of one label of two label images; 1 where both lack it."""
    in_first, in_second = first == label, second == label
    total = int(in_first.sum()) + int(in_second.sum())
    return 1.0 if total == 0 else 2.0 * int((in_first & in_second).sum()) / total
