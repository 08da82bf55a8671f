"""Makes model folders with the published architectures and seeded random weights.

Such a network costs the time and memory of the real one and finds noise in every class: right for speed, memory and
"same labels as the peer", useless for looking at. ``python3 published_models.py FOLDER`` makes them by hand.

Patches, stages and features: TotalSegmentator's released plans for Dataset291 to 298 (the patch of 298 is inferred from
its image size; those of tasks are not published and assumed to be as at 1.5 mm). The folders have the older format of
nnU-Net v2's plans, as the released ones do. Those of the 104 structures stand for folders that were converted from
nnU-Net v1; its planner makes six stages of their patches.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TESTING = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [
        str(TESTING),
        str(TESTING / "tests" / "support" / "models"),
        str(TESTING.parent / "TotalSegmentatorModule"),
    ]

import numpy as np  # noqa: E402 - the line above comes first
import torch  # noqa: E402
from nnunetv2.utilities.get_network_from_plans import get_network_from_plans  # noqa: E402
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager  # noqa: E402
from phantom import PhantomParameters, make_phantom  # noqa: E402
from phantom.body_frame import BODY_CENTRE  # noqa: E402
from seeded_models import (  # noqa: E402
    CONFIGURATION,
    PLANS,
    TRAINER,
    assumed_spacing,
    configuration_settings,
    dataset_json_of,
    make_model_folder,
    names_of_part,
    plans_of,
)
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue  # noqa: E402

MODELS = ("117-1.5mm", "117-3mm", "117-6mm")
MODELS_104 = ("104-1.5mm", "104-3mm")
"""In a folder of their own: TotalSegmentator removes folders of nnU-Net v1 from the one that it is given."""
_LARGEST_FEATURES = 320
_TRUNK_MM = 448.0
"""Width of the tile to which a background is fitted: a trunk and the air beside it."""
_AIR_HU = -300
_AIR_LOGIT = 10.0
"""Of the background in air and, negative, elsewhere. The model that was fitted to a real CT has 9.9 there."""
_LOGIT_SPREAD = 5.0
"""Standard deviation of the best structure's logit."""
_RIDGE = 1e-4


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
    "kidney_cysts": Architecture((128, 128, 128), 6),
    "lung_nodules": Architecture((128, 128, 128), 6),
}
SMALL = {
    "117-1.5mm": Architecture((32, 32, 32), 3, 4),
    "117-3mm": Architecture((32, 32, 48), 3, 4),
    "117-6mm": Architecture((16, 16, 32), 3, 4),
    "104-1.5mm": Architecture((32, 32, 32), 3, 4),
    "104-3mm": Architecture((32, 32, 48), 3, 4),
    "kidney_cysts": Architecture((32, 32, 32), 3, 4),
    "lung_nodules": Architecture((32, 32, 32), 3, 4),
}
"""For trying the benchmarks themselves: the same label sets, a thousandth of the work."""


ASSUMED_TASK, SMALL_TASK = Architecture((96, 96, 96), 5, 12), Architecture((32, 32, 32), 3, 4)
"""Of the networks of tasks, whose plans nobody has published outside their archives: an assumption."""
LIGHT = {name: dataclasses.replace(one, features=12) for name, one in PUBLISHED.items()}
"""The same patches and stages, and a seventh of the arithmetic."""
LIGHT_OWN, SMALL_OWN = Architecture((96, 96, 96), 5, 12), Architecture((32, 32, 32), 3, 4)
_OWN_SPACING_MM = 1.5
_OWN_STRUCTURES = ("liver", "spleen", "kidney_left", "kidney_right", "something_new")


def make_own_model(folder: Path, architecture: Architecture) -> Path:
    """The model folder in ``folder`` that nnU-Net's trainer could have made, of five structures."""
    path = folder / "{}__{}__{}".format(TRAINER, PLANS, CONFIGURATION)
    if not any(path.glob("fold_0/*.pth")):
        plans = plans_of(_settings(architecture, [_OWN_SPACING_MM] * 3), dataset=folder.name)
        names = dataset_json_of(_OWN_STRUCTURES)
        make_model_folder(folder, plans=plans, dataset_json=names, leaf=path.name, network=seeded_network)
    return path


MakeNetwork = Callable[[dict[str, Any], dict[str, Any], int], torch.nn.Module]
"""Of plans, dataset.json and seed."""


def make_published_models(
    folder: Path,
    architectures: dict[str, Architecture],
    models: Sequence[str] = MODELS,
    network: MakeNetwork | None = None,
) -> Path:
    """Makes what is absent of the ``models`` of the catalogue below ``folder``, as an installation lays them out.

    ``network`` makes the weights from plans, dataset.json and seed; without it ``seeded_network`` does.
    """
    for model_id in models:
        model = read_catalogue()[model_id]
        for part, path in zip(model.parts, model.part_folders(folder), strict=True):
            if any(path.glob("fold_0/*.pth")):
                continue
            print("making the seeded weights of {}".format(part.name), flush=True)
            make_model_folder(
                path.parent,
                plans=_plans_of_part(architectures[model_id], model, part.name),
                dataset_json=dataset_json_of(names_of_part(model, part.name)),
                leaf=path.name,
                seed=_number_of(part.name),
                network=network or seeded_network,
                configuration=model.configuration,
            )
    return folder


def _plans_of_part(architecture: Architecture, model: CatalogueModel, part: str) -> dict[str, Any]:
    plans = plans_of(_settings(architecture, assumed_spacing(model)), dataset=part)
    plans["configurations"].setdefault(model.configuration, {"inherits_from": CONFIGURATION})
    return plans


def seeded_network(plans: dict[str, Any], dataset_json: dict[str, Any], seed: int) -> torch.nn.Module:
    """The plans' network with the weights that nnU-Net itself starts a training from, except that it knows air.

    In an untrained network the background is one class of many, and every voxel is whatever class wins by a hair of a
    large logit. In a trained one air is background, and decisively so. Hence the last layer is changed: what its rows
    have in common, which decides no label, is taken from them; they are brought to the size of a trained network's;
    and the background's row is fitted to the air of a phantom. The structures' rows differ from each other as they
    did.
    """
    network = untrained_network(plans, dataset_json, seed)
    patch_size = PlansManager(plans).get_configuration(CONFIGURATION).patch_size
    with torch.no_grad():
        know_air(network, *phantom_tile(plans, patch_size, seed))
    return network


def untrained_network(plans: dict[str, Any], dataset_json: dict[str, Any], seed: int) -> torch.nn.Module:
    """The plans' network with the weights that nnU-Net itself starts a training from."""
    torch.manual_seed(seed)
    configuration = PlansManager(plans).get_configuration(CONFIGURATION)
    return get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        input_channels=1,
        output_channels=len(dataset_json["labels"]),
        deep_supervision=False,
    ).eval()


def know_air(network: torch.nn.Module, tile: torch.Tensor, is_air: torch.Tensor) -> None:
    """Changes the last layer as ``seeded_network`` says; ``is_air`` bool (z, y, x) of the tile."""
    last = network.decoder.seg_layers[-1]
    seen: list[torch.Tensor] = []
    handle = last.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    best = network(tile)[0, 1:].amax(dim=0)
    handle.remove()
    features = seen[0][0].flatten(1).double()
    design = torch.cat([features, torch.ones_like(features[:1])])
    common = _least_squares(design, best)
    rows = torch.cat([last.weight.flatten(1), last.bias[:, None]], dim=1).double() - common
    rows *= _LOGIT_SPREAD / (rows[1:] @ design).amax(dim=0).std()
    rows[0] = _least_squares(design, torch.where(is_air, _AIR_LOGIT, -_AIR_LOGIT))
    last.weight.copy_(rows[:, :-1].reshape(last.weight.shape))
    last.bias.copy_(rows[:, -1])


def _least_squares(design: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Factors of the rows of ``design`` whose sum is nearest to ``wanted``; a ridge keeps them small."""
    gram = design @ design.T
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram + ridge, design @ wanted.flatten().double())


def phantom_tile(plans: dict[str, Any], patch_size: Sequence[int], seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, 1, z, y, x) normalised, a trunk with the air around it and in it; and where air is, bool (z, y, x)."""
    spacing = _TRUNK_MM / patch_size[2]
    halves = [size * spacing / 2 for size in reversed(patch_size)]
    field = tuple((centre - half, centre + half) for centre, half in zip(BODY_CENTRE, halves, strict=True))
    phantom = make_phantom(PhantomParameters(seed=seed, spacing_mm=(spacing,) * 3, field_of_view_mm=field))
    known = plans["foreground_intensity_properties_per_channel"]["0"]
    clipped = np.clip(phantom.ct, known["percentile_00_5"], known["percentile_99_5"])
    tile = torch.from_numpy((clipped - known["mean"]) / known["std"]).float()[None, None]
    return tile, torch.from_numpy(phantom.ct < _AIR_HU)


def _settings(architecture: Architecture, spacing_mm: Sequence[float]) -> dict[str, Any]:
    stages = architecture.stages
    strides = [[1] * 3] + [[2] * 3] * (stages - 2) + [list(architecture.last_stride)]
    return configuration_settings(architecture.patch_size, spacing_mm, old_format=True) | {
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
