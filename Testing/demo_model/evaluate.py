"""Measure the demo model on a phantom whose pose, spacing and voxel order it never saw.

python Testing/demo_model/evaluate.py --model Testing/demo_model
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import zoom

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that the script runs from anywhere

from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from phantom import Phantom, PhantomParameters, make_phantom
from phantom.phantom import read_label_table

from demo_model.model_folder import CONFIGURATION, load_folder, model_path

HELD_OUT = PhantomParameters(
    seed=424242,
    spacing_mm=(2.5, 2.5, 3.0),
    orientation="LPS",
    rotation_degrees=(4.0, -3.0, 5.0),
    scale=(1.04, 0.97, 1.03),
    shift_mm=(6.0, -4.0, 10.0),
    bend_mm=(6.0, 5.0),
    noise_hu=15.0,
)
_SIGN_AND_AXIS = {0: "RL", 1: "AP", 2: "SI"}


def make_predictor(folder: Path) -> tuple[nnUNetPredictor, dict]:
    """Return nnU-Net's own predictor (step 0.5, Gaussian weights, no mirroring) and the plans."""
    plans, dataset, network = load_folder(folder)
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=False,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    manager = PlansManager(plans)
    predictor.manual_initialization(
        network, manager, manager.get_configuration(CONFIGURATION), None, dataset, "nnUNetTrainer", None
    )
    predictor.list_of_parameters = [network.state_dict()]
    return predictor, plans


def _to_canonical(ijk_to_ras: np.ndarray) -> tuple[list[int], list[int]]:
    """Return which index axis (0 = i) runs closest along x, y, z, and its sign, for a 4 x 4 matrix."""
    order = [int(np.argmax(np.abs(ijk_to_ras[row, :3]))) for row in range(3)]
    return order, [int(np.sign(ijk_to_ras[row, order[row]])) for row in range(3)]


def segment(predictor: nnUNetPredictor, plans: dict, phantom: Phantom) -> np.ndarray:
    """Return the predicted labels (uint8, k, j, i) of a phantom, on its own voxel grid."""
    order, signs = _to_canonical(phantom.ijk_to_ras)
    by_index = phantom.ct.transpose(2, 1, 0)
    canonical = by_index.transpose(order)[tuple(slice(None, None, s) for s in signs)].transpose(2, 1, 0)
    spacing = np.linalg.norm(phantom.ijk_to_ras[:3, :3], axis=0)[order][::-1]  # z, y, x
    configuration = plans["configurations"][CONFIGURATION]
    image = zoom(canonical.astype(np.float32), spacing / configuration["spacing"], order=1, mode="nearest")
    i = plans["foreground_intensity_properties_per_channel"]["0"]
    image = (np.clip(image, i["percentile_00_5"], i["percentile_99_5"]) - i["mean"]) / i["std"]
    with torch.inference_mode():
        logits = predictor.predict_sliding_window_return_logits(torch.from_numpy(image[None]).float())
    small = logits.argmax(0).numpy().astype(np.uint8)
    large = zoom(small, np.asarray(canonical.shape) / np.asarray(small.shape), order=0, mode="nearest")
    back = large.transpose(2, 1, 0)[tuple(slice(None, None, s) for s in signs)].transpose(np.argsort(order))
    return np.ascontiguousarray(back.transpose(2, 1, 0))


def dice_per_structure(predicted: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Return the Dice overlap (0..1) of each structure that is present in the truth."""
    both = np.bincount(truth[predicted == truth], minlength=105)
    n_truth, n_predicted = np.bincount(truth.ravel(), minlength=105), np.bincount(predicted.ravel(), minlength=105)
    return {
        name: float(2 * both[label] / (n_truth[label] + n_predicted[label]))
        for name, label in read_label_table().items()
        if n_truth[label]
    }


def main() -> None:
    """Print the mean Dice, the lowest structures and the time of one held-out phantom."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path(__file__).parent, help="folder that holds Dataset900_...")
    parser.add_argument("--lowest", type=int, default=10)
    arguments = parser.parse_args()
    predictor, plans = make_predictor(model_path(arguments.model))
    phantom = make_phantom(HELD_OUT)
    started = time.perf_counter()
    dice = dice_per_structure(segment(predictor, plans, phantom), phantom.labels)
    seconds = time.perf_counter() - started
    print(f"{len(dice)} structures, mean Dice {np.mean(list(dice.values())):.4f}, {seconds:.1f} s, {phantom.ct.shape}")
    for name, value in sorted(dice.items(), key=lambda item: item[1])[: arguments.lowest]:
        print(f"  {value:.3f} {name}")


if __name__ == "__main__":
    main()
