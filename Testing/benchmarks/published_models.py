"""Makes model folders with the published architectures and seeded random weights.

Such a network costs the time and memory of the real one and finds noise in every class: right for speed, memory and
"same labels as the peer", useless for looking at. ``python3 published_models.py FOLDER`` makes them by hand.

Patches, stages and features: TotalSegmentator's released plans for Dataset291 to 298 (the patch of 298 is inferred from
its image size). The folders have the older format of nnU-Net v2's plans, as the released ones do. Those of the 104
structures stand for folders that were converted from nnU-Net v1; its planner makes six stages of their patches.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTING = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[:0] = [str(TESTING), str(TESTING / "tests"), str(TESTING.parent / "TotalSegmentatorModule")]

import numpy as np  # noqa: E402 - the line above comes first
import torch  # noqa: E402
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans  # noqa: E402
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager  # noqa: E402
from scipy.ndimage import gaussian_filter  # noqa: E402
from seeded_models import (  # noqa: E402
    CONFIGURATION,
    configuration_settings,
    dataset_json_of,
    make_model_folder,
    plans_of,
)
from TotalSegmentatorWire.catalogue import read_catalogue  # noqa: E402
from TotalSegmentatorWire.structures import structure_table  # noqa: E402

MODELS = ("117-1.5mm", "117-3mm", "117-6mm")
MODELS_104 = ("104-1.5mm", "104-3mm")
"""In a folder of their own: TotalSegmentator removes folders of nnU-Net v1 from the one that it is given."""
_LARGEST_FEATURES = 320
_BACKGROUND_SHARE = 0.85


@dataclass(frozen=True)
class Architecture:
    """The U-Net of one model: its patch (z, y, x), its stages, and the features of the first stage."""

    patch_size: tuple[int, int, int]
    stages: int
    features: int = 32
    last_stride: tuple[int, int, int] = (2, 2, 2)


PUBLISHED = {
    "117-1.5mm": Architecture((128, 128, 128), 6),
    "117-3mm": Architecture((112, 112, 128), 5),
    "117-6mm": Architecture((64, 64, 80), 5),
    "104-1.5mm": Architecture((128, 128, 128), 6),
    "104-3mm": Architecture((112, 112, 128), 6, last_stride=(1, 1, 2)),
}
SMALL = {
    "117-1.5mm": Architecture((32, 32, 32), 3, 4),
    "117-3mm": Architecture((32, 32, 48), 3, 4),
    "117-6mm": Architecture((16, 16, 32), 3, 4),
    "104-1.5mm": Architecture((32, 32, 32), 3, 4),
    "104-3mm": Architecture((32, 32, 48), 3, 4),
}
"""For trying the benchmarks themselves: the same label sets, a thousandth of the work."""


def make_published_models(folder: Path, architectures: dict[str, Architecture], models: Sequence[str] = MODELS) -> Path:
    """Makes what is absent of the ``models`` of the catalogue below ``folder``, as an installation lays them out."""
    for model_id in models:
        model = read_catalogue()[model_id]
        table = structure_table(model.structures)
        for part, path in zip(model.parts, model.part_folders(folder), strict=True):
            if any(path.glob("fold_0/*.pth")):
                continue
            known = [row for row in table if len(model.parts) == 1 or row.part_model == part.name.split("_")[0]]
            if len(model.parts) > 1:
                known.sort(key=lambda row: row.label_in_part)
            print("making the seeded weights of {}".format(part.name), flush=True)
            make_model_folder(
                path.parent,
                plans=plans_of(_settings(architectures[model_id], model.spacing_mm), dataset=part.name),
                dataset_json=dataset_json_of([row.name for row in known]),
                leaf=path.name,
                seed=_number_of(part.name),
                network=seeded_network,
            )
    return folder


def seeded_network(plans: dict[str, Any], dataset_json: dict[str, Any], seed: int) -> torch.nn.Module:
    """The plans' network with the weights that nnU-Net itself starts a training from, and a raised background.

    In an untrained network the background is one class of many, and air is whatever class happens to win by a hair.
    As in a trained one, most voxels shall be background, and air decisively so: its bias is raised until
    _BACKGROUND_SHARE of a tile of body and air is background.
    """
    torch.manual_seed(seed)
    configuration = PlansManager(plans).get_configuration(CONFIGURATION)
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        input_channels=1,
        output_channels=len(dataset_json["labels"]),
        deep_supervision=False,
    ).eval()
    with torch.inference_mode():
        logits = network(_tile_of_body_and_air(configuration.patch_size, seed))[0]
    margin = (logits[1:].amax(dim=0) - logits[0]).flatten().double()
    with torch.no_grad():
        network.decoder.seg_layers[-1].bias[0] += float(np.quantile(margin.numpy(), _BACKGROUND_SHARE))
    return network


def _tile_of_body_and_air(patch_size: Sequence[int], seed: int) -> torch.Tensor:
    """(1, 1, z, y, x) normalised: a body of soft tissue and noise over the middle half, air around it."""
    noise = np.random.default_rng(seed).normal(0.0, 1.0, tuple(patch_size))
    y, x = (np.linspace(-1, 1, size) for size in patch_size[1:])
    body = (y[:, None] ** 2 + x[None] ** 2) < 0.5
    return torch.from_numpy(np.where(body, gaussian_filter(noise, 1.5) * 1.5, -2.0 + 0.02 * noise)).float()[None, None]


def _settings(architecture: Architecture, spacing_mm: float) -> dict[str, Any]:
    stages = architecture.stages
    strides = [[1] * 3] + [[2] * 3] * (stages - 2) + [list(architecture.last_stride)]
    return configuration_settings(architecture.patch_size, [spacing_mm] * 3, old_format=True) | {
        "UNet_base_num_features": architecture.features,
        "n_conv_per_stage_encoder": [2] * stages,
        "n_conv_per_stage_decoder": [2] * (stages - 1),
        "num_pool_per_axis": [sum(stride[axis] > 1 for stride in strides) for axis in range(3)],
        "pool_op_kernel_sizes": strides,
        "conv_kernel_sizes": [[3] * 3] * stages,
        "unet_max_num_features": _LARGEST_FEATURES,
    }


def _number_of(part: str) -> int:
    """291 of "Dataset291_TotalSegmentator_...": seeds the part's weights."""
    return int("".join(c for c in part.split("_")[0] if c.isdigit()))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("give the folder for the models")
    make_published_models(Path(sys.argv[1]), PUBLISHED)
