"""Networks of the published shape with seeded weights whose answers look like a segmentation.

The networks of ``published_models`` find noise in every class. Where the result is reviewed and measured as well, as by
the command ``batch``, that would be all that is timed: a review of a million specks takes minutes. Here the decoder
blurs, and the last layer is fitted to a phantom: the result is a background with a few coherent
structures, and its review takes about as long as that of a patient's. Every layer costs what it costs in a published
network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from phantom import PhantomParameters, make_phantom
from phantom.body_frame import BODY_CENTRE
from scipy import ndimage
from TotalSegmentatorWire.tables.structures import structure_table

from benchmarks.inputs.published_models import untrained_network

_RIDGE = 1e-3
"""Share of the mean variance of a feature that is added to each of them."""
_SCALE = 0.05
"""Of all logits, which changes no label: nnU-Net sums them times 10 in float16."""
_ABSENT = -10.0
"""Logit of structures that are not to be found."""
_FEWEST_VOXELS = 200
_MOST_PIECES = 20
"""Of a structure in the phantom's trunk; in a patient's result it is one or two. Structures that are scattered over the
whole body make a review many times as long."""


def tissue_network(plans: dict[str, Any], dataset_json: dict[str, Any], seed: int) -> torch.nn.Module:
    """An untrained network with a blurring decoder and a last layer that tells the phantom's structures apart as well
    as its features allow: Fisher's linear discriminants, with each structure as likely as its volume says."""
    network = untrained_network(plans, dataset_json, seed)
    settings = next(iter(plans["configurations"].values()))
    tile, labels = _phantom_tile(plans, settings["patch_size"], settings["spacing"], dataset_json["labels"])
    with torch.no_grad():
        _blur(network.decoder)
        _fit_last_layer(network, tile, labels)
    return network


def _blur(decoder: torch.nn.Module) -> None:
    """Each kernel becomes its mean: what the decoder tells is then the same for neighbours, mostly."""
    for module in decoder.modules():
        is_head = any(module is head for head in decoder.seg_layers)
        if isinstance(module, (torch.nn.Conv3d, torch.nn.ConvTranspose3d)) and not is_head:
            module.weight.copy_(module.weight.mean(dim=(2, 3, 4), keepdim=True).expand_as(module.weight))


def _phantom_tile(
    plans: dict[str, Any], patch_size: Sequence[int], spacing: Sequence[float], numbers: dict[str, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """A trunk at the network's spacing, (1, 1, z, y, x) normalised, and the network's labels (z, y, x) of it."""
    sizes = [size * step for size, step in zip(reversed(patch_size), reversed(spacing), strict=True)]
    field = tuple((centre - size / 2, centre + size / 2) for centre, size in zip(BODY_CENTRE, sizes, strict=True))
    phantom = make_phantom(
        PhantomParameters(spacing_mm=tuple(reversed(spacing)), field_of_view_mm=field, orientation="RAS")
    )
    known = plans["foreground_intensity_properties_per_channel"]["0"]
    clipped = np.clip(phantom.ct, known["percentile_00_5"], known["percentile_99_5"])
    tile = torch.from_numpy((clipped - known["mean"]) / known["std"]).float()[None, None]
    wanted = np.zeros(256, np.int64)
    for structure in structure_table("structures_104"):
        wanted[structure.label] = numbers.get(structure.name, 0)
    return tile, torch.from_numpy(wanted[phantom.labels])


def _fit_last_layer(network: torch.nn.Module, tile: torch.Tensor, labels: torch.Tensor) -> None:
    last = network.decoder.seg_layers[-1]
    seen: list[torch.Tensor] = []
    handle = last.register_forward_pre_hook(lambda _layer, inputs: seen.append(inputs[0]))
    network(tile)
    handle.remove()
    features = seen[0][0].flatten(1).double()
    flat = labels.flatten()
    counts = torch.bincount(flat, minlength=last.out_channels).double()
    means = torch.zeros(last.out_channels, len(features), dtype=torch.double).index_add_(0, flat, features.T)
    means /= counts.clamp(min=1)[:, None]
    within = features @ features.T - (means * counts[:, None]).T @ means
    within /= len(flat)
    within += _RIDGE * within.diagonal().mean() * torch.eye(len(features), dtype=torch.double)
    rows = torch.linalg.solve(within, means.T).T
    biases = (counts / len(flat)).clamp(min=1e-12).log() - (rows * means).sum(dim=1) / 2
    rows, biases = (rows - rows[0]) * _SCALE, (biases - biases[0]) * _SCALE
    _drop(counts < _FEWEST_VOXELS, rows, biases)
    _drop(_scattered(rows @ features + biases[:, None], labels.shape), rows, biases)
    last.weight.copy_(rows.reshape(last.weight.shape))
    last.bias.copy_(biases)


def _drop(labels: torch.Tensor, rows: torch.Tensor, biases: torch.Tensor) -> None:
    """Lets the background, whose logit is 0, win over them everywhere."""
    rows[labels], biases[labels] = 0.0, _ABSENT


def _scattered(logits: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Which labels are nowhere or, unlike in a patient, in small pieces all over."""
    found = logits.argmax(dim=0).reshape(shape).numpy()
    pieces = np.array([ndimage.label(found == label)[1] for label in range(len(logits))])
    scattered = torch.from_numpy((pieces == 0) | (pieces > _MOST_PIECES))
    scattered[0] = False
    return scattered
