"""Checks a whole model folder: its tables, the labels that it claims, and every tensor of every fold.

A segmentation checks the same when it loads a model; here it is found out when the model is installed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import CatalogueModel, catalogue_model

from TotalSegmentatorEngine.inference.network import build_network
from TotalSegmentatorEngine.models.checkpoint import load_safely, read_checkpoint
from TotalSegmentatorEngine.models.find_model import numbers_by_name, published_numbers
from TotalSegmentatorEngine.models.model_folder import CHECKPOINT_NAME, ModelFolder, read_model_folder


@dataclass(frozen=True)
class ModelReport:
    """What a model folder that passed the check holds."""

    dataset: str
    configuration: str
    folds: list[str]
    labels: int
    """Without the background."""
    bytes: int
    """Of its tables and weight files."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_model(path: Path, model: str | None = None, part: str | None = None, rewrites: bool = False) -> ModelReport:
    """The folder ``path``, as part ``part`` of the catalogue's ``model`` where these are given.

    ``rewrites`` replaces each weight file by one with the same weights and nothing else. Raises SegmentationError: what
    ``read_model_folder`` raises, MODEL_DAMAGED, MODEL_UNSAFE, and MODEL_UNKNOWN for a name that the catalogue lacks.
    """
    folder = read_model_folder(path)
    if model is not None:
        _check_labels(folder, *_part_of(model, part))
    shapes = network_shapes(folder)
    for file in folder.checkpoints:
        _check_fold(folder, file, shapes)
    if rewrites:
        for file in folder.checkpoints:
            _rewrite(file, folder.configuration)
    files = [folder.path / "plans.json", folder.path / "dataset.json", *folder.checkpoints]
    return ModelReport(
        dataset=folder.dataset,
        configuration=folder.configuration,
        folds=[file.parent.name for file in folder.checkpoints],
        labels=len(folder.labels),
        bytes=sum(file.stat().st_size for file in files),
    )


def network_shapes(folder: ModelFolder) -> dict[str, torch.Size]:
    """Name and shape of each tensor that the plans' network has, without memory for any.

    Raises SegmentationError("MODEL_DAMAGED").
    """
    return {name: tensor.shape for name, tensor in build_network(folder).state_dict().items()}


def _part_of(model_id: str, part: str | None) -> tuple[CatalogueModel, str]:
    """Without ``part`` the model must have only one."""
    model = catalogue_model(model_id)
    parts = [entry.name for entry in model.parts]
    if part is None and len(parts) == 1:
        part = parts[0]
    if part not in parts:
        name = model_id if part is None else f"{model_id} {part}"
        raise SegmentationError("MODEL_UNKNOWN", model=name, nearest=", ".join(parts))
    return model, part


def _check_labels(folder: ModelFolder, model: CatalogueModel, part: str) -> None:
    published = published_numbers(model, part)
    expected = len(published) + sum(len(step.labels) for step in model.steps)
    if len(folder.labels) != expected:
        detail = f"it has {len(folder.labels)} labels, but the published model has {expected}"
        raise SegmentationError("MODEL_DAMAGED", detail=detail)
    numbers_by_name(folder, published)


def _check_fold(folder: ModelFolder, file: Path, shapes: Mapping[str, torch.Size]) -> None:
    fold = file.parent.name
    checkpoint = read_checkpoint(file)
    if checkpoint.configuration not in (None, folder.configuration):
        raise SegmentationError("MODEL_DAMAGED", detail=f"{fold} was trained for a different configuration")
    for name, shape in shapes.items():
        tensor = checkpoint.weights.get(name)
        if tensor is None:
            raise SegmentationError("MODEL_DAMAGED", detail=f"{fold} lacks the weights {name:.80}")
        if tensor.shape != shape:
            sizes = " x ".join(map(str, tensor.shape)), " x ".join(map(str, shape))
            detail = f"{fold} has weights {name:.80} with {sizes[0]} values, but the plans require {sizes[1]}"
            raise SegmentationError("MODEL_DAMAGED", detail=detail)
        if not bool(torch.isfinite(tensor).all()):
            raise SegmentationError("MODEL_DAMAGED", detail=f"{fold} has weights {name:.80} that are not finite")
    left_over = sorted(set(checkpoint.weights) - set(shapes))
    if left_over:
        detail = f"{fold} has weights {left_over[0]:.80} that do not belong to the network in plans.json"
        raise SegmentationError("MODEL_DAMAGED", detail=detail)


def _rewrite(file: Path, configuration: str) -> None:
    """What nnU-Net's predictor asks for stays: weights, the trainer's name, the configuration and the mirrored axes."""
    content = load_safely(file)
    checkpoint = read_checkpoint(file)
    trainer = content.get("trainer_name")
    kept = {
        "network_weights": checkpoint.weights,
        "trainer_name": trainer if isinstance(trainer, str) else "nnUNetTrainer",
        "init_args": {"configuration": checkpoint.configuration or configuration},
        "inference_allowed_mirroring_axes": checkpoint.mirroring_axes or None,
    }
    draft = file.with_name(f".{CHECKPOINT_NAME}.{os.getpid()}.part")
    try:
        torch.save(kept, draft)
        draft.replace(file)
    except OSError as error:
        raise SegmentationError("FOLDER_NOT_WRITABLE", purpose="the models") from error
    finally:
        draft.unlink(missing_ok=True)
