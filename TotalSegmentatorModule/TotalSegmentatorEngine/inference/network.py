"""Builds a model folder's networks and fills them with their weights."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import io
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.models.checkpoint import read_checkpoint
from TotalSegmentatorEngine.models.model_folder import ModelFolder

logger = logging.getLogger(__name__)

_MOVED_CLASSES = {
    "dynamic_network_architectures.architectures.residual_unet.ResidualEncoderUNet": (
        "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet"
    )
}
"""Where nnU-Net's translation of old plans expects the residual encoder, and where it is. nnU-Net finds it by
importing every architecture, among them some that need timm and torchvision."""


@dataclass(frozen=True)
class LoadedModel:
    """A model folder's networks, one per fold, ready to run."""

    networks: list[nn.Module]
    mirroring_axes: tuple[int, ...]
    """Axes 0..2 along which predictions are averaged over mirror images."""
    device: torch.device
    outputs: int
    """Number of labels, background included."""

    @property
    def bytes(self) -> int:
        """Memory of the weights."""
        parameters = (parameter for network in self.networks for parameter in network.parameters())
        return sum(parameter.numel() * parameter.element_size() for parameter in parameters)

    def on(self, device: torch.device) -> LoadedModel:
        """The same on another device."""
        if device == self.device:
            return self
        return dataclasses.replace(self, networks=[network.to(device) for network in self.networks], device=device)


def split_head(network: nn.Module) -> tuple[nn.Module, nn.Conv3d] | None:
    """The network without its last layer, and that layer: a convolution of kernel 1 from features to logits.

    Both share the network's weights. None where the last layer is something else.
    """
    layers = getattr(getattr(network, "decoder", None), "seg_layers", None)
    if not isinstance(layers, nn.ModuleList) or len(layers) == 0 or getattr(network.decoder, "deep_supervision", True):
        return None
    last = layers[-1]
    if not isinstance(last, nn.Conv3d) or last.kernel_size != (1, 1, 1) or last.groups != 1:
        return None
    body = copy.copy(network)
    body._modules = dict(network._modules)
    body.decoder = copy.copy(network.decoder)
    body.decoder._modules = dict(network.decoder._modules)
    body.decoder.seg_layers = nn.ModuleList([*layers[:-1], nn.Identity()])
    return body, last


def load_model(folder: ModelFolder, device: torch.device, on_fold: Callable[[], None] = lambda: None) -> LoadedModel:
    """Networks of all folds on ``device``. ``on_fold`` is called before each fold; it may raise to stop.

    Raises SegmentationError: MODEL_DAMAGED where weights are missing, too many or of another shape than the plans'
    network, MODEL_UNSAFE where a weight file contains something else.
    """
    networks, axes = [], []
    for path in folder.checkpoints:
        on_fold()
        network, mirroring_axes = _load_fold(folder, path)
        networks.append(network.to(device))
        axes.append(mirroring_axes)
    mirroring_axes = axes[0] if folder.mirrors else ()  # nnU-Net, too, takes those of the first fold
    return LoadedModel(networks, mirroring_axes, device, len(folder.labels) + 1)


def _load_fold(folder: ModelFolder, path: Path) -> tuple[nn.Module, tuple[int, ...]]:
    checkpoint = read_checkpoint(path)
    if checkpoint.configuration not in (None, folder.configuration):
        raise SegmentationError("MODEL_DAMAGED", detail="the weights belong to a different configuration")
    weights = {name: tensor.to(torch.float32) for name, tensor in checkpoint.weights.items()}
    network = build_network(folder)
    try:
        network.load_state_dict(weights, strict=True, assign=True)
    except RuntimeError as error:
        logger.info("weights do not fit the plans: %s", error)
        raise SegmentationError("MODEL_DAMAGED", detail="the weights do not match the network in plans.json") from error
    return network.requires_grad_(False).eval(), checkpoint.mirroring_axes


def build_network(folder: ModelFolder) -> nn.Module:
    """The network that the plans describe, without memory for its weights (on torch's "meta" device).

    Raises SegmentationError("MODEL_DAMAGED") where the plans describe none.
    """
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    configuration = nnunet_configuration(folder)
    class_name = configuration.network_arch_class_name
    try:
        with torch.device("meta"):
            return get_network_from_plans(
                _MOVED_CLASSES.get(class_name, class_name),
                configuration.network_arch_init_kwargs,
                configuration.network_arch_init_kwargs_req_import,
                input_channels=1,
                output_channels=len(folder.labels) + 1,
                allow_init=False,
                deep_supervision=False,
            )
    except (AssertionError, KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="plans.json does not describe a network") from error


def nnunet_configuration(folder: ModelFolder) -> Any:
    """nnU-Net's ConfigurationManager of the folder; it translates plans of the old format.

    Raises SegmentationError("MODEL_DAMAGED") where it cannot.
    """
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")  # old plans are expected here
            return PlansManager(copy.deepcopy(folder.plans)).get_configuration(folder.configuration)
    except (AssertionError, KeyError, TypeError, ValueError, IndexError, AttributeError, RuntimeError) as error:
        raise SegmentationError("MODEL_DAMAGED", detail="plans.json does not describe a network") from error
