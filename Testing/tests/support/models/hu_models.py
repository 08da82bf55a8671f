"""Model folders whose answer is known: each voxel gets the structure whose CT number is nearest to its own.

The network has nnU-Net's own layers with weights set by hand. It depends on single voxels, so that tiles and
regions change nothing in its labels: a full run and a cropped one must agree in every voxel that both cover.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from seeded_models import (
    CONFIGURATION,
    assumed_spacing,
    configuration_settings,
    dataset_json_of,
    judge_network,
    make_model_folder,
    names_of_part,
    plans_of,
)
from TotalSegmentatorEngine.imaging.geometry import Geometry, Volume
from TotalSegmentatorEngine.preprocessing.network_input import Region
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, read_catalogue

BACKGROUND_HU = 40
"""Not 0: nnU-Net cuts off what is 0 around an image."""
_LOWEST_HU, _SCALE = -1024.0, 1000.0


def make_hu_model(
    models_folder: Path, model_id: str, numbers: Mapping[str, float], patch_size: Sequence[int] = (16, 16, 16)
) -> None:
    """All parts of a model of the catalogue; ``numbers`` gives the CT number of each structure that a part can see."""
    model = read_catalogue()[model_id]
    for part, path in zip(model.parts, model.part_folders(models_folder), strict=True):
        names = names_of_part(model, part.name)
        known = {name: numbers[name] for name in names if name in numbers}
        make_model_folder(
            path.parent,
            plans=_plans(part.name, model, patch_size),
            dataset_json=dataset_json_of(names),
            leaf=path.name,
            network=lambda plans, dataset_json, seed, known=known: _network(plans, dataset_json, known),
            configuration=model.configuration,
        )


def _plans(dataset: str, model: CatalogueModel, patch_size: Sequence[int]) -> dict[str, Any]:
    settings = configuration_settings(patch_size, assumed_spacing(model))
    single_voxels = {"kernel_sizes": [[1, 1, 1]] * 2, "norm_op": None, "norm_op_kwargs": None}
    settings["architecture"]["arch_kwargs"] |= single_voxels
    plans = plans_of(settings, dataset=dataset)
    normalisation = {"mean": _LOWEST_HU, "std": _SCALE, "percentile_00_5": _LOWEST_HU, "percentile_99_5": 3000.0}
    plans["foreground_intensity_properties_per_channel"]["0"] |= normalisation
    plans["configurations"].setdefault(model.configuration, {"inherits_from": CONFIGURATION})
    return plans


def _network(plans: dict[str, Any], dataset_json: dict[str, Any], numbers: Mapping[str, float]) -> torch.nn.Module:
    """One feature carries the voxel's value v through the layers; label n has the logit 2 v c(n) - c(n)^2, which is
    the larger the nearer v is to c(n)."""
    network = judge_network(plans, dataset_json, seed=0)
    centres = {"background": BACKGROUND_HU, **numbers}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.encoder.stages[0][0].convs[0].conv.weight[0, 0] = 1
        decoder_in = network.decoder.stages[0].convs[0].conv
        decoder_in.weight[0, decoder_in.in_channels // 2] = 1  # the skip connection comes second
        head = network.decoder.seg_layers[-1]
        for name, label in dataset_json["labels"].items():
            centre = (centres[name] - _LOWEST_HU) / _SCALE if name in centres else 0.0
            head.weight[label, 0] = 2 * centre
            head.bias[label] = -(centre**2) if name in centres else -1000.0
    return network


def block_volume(
    shape: Sequence[int],
    blocks: Sequence[tuple[Region, int]],
    spacing: Sequence[float] = (1.5, 1.5, 1.5),
) -> Volume:
    """A CT of ``spacing`` mm along k, j, i in the voxel order RAS: ``blocks`` with a CT number each, in soft tissue."""
    array = np.full(tuple(shape), BACKGROUND_HU, dtype=np.int16)
    for region, number in blocks:
        array[region] = number
    matrix = np.diag([*reversed(spacing), 1.0])
    matrix[:3, 3] = (11.0, -23.0, 57.0)
    return Volume(array, Geometry(array.shape, matrix))
