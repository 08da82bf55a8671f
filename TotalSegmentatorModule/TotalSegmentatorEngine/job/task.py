"""The task and the result of a segmentation."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import Problem
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.model_request import ModelRequest
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.review import Flag
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.structures import Structure

if TYPE_CHECKING:
    import numpy as np

    from TotalSegmentatorEngine.job.prepared_model import PreparedModel
    from TotalSegmentatorEngine.models.model_folder import ModelFolder


@dataclass(frozen=True)
class SegmentationTask:
    """What to segment: of each model its structures, in the order of computation, at least one.

    ``device``: "auto", "cpu", "cuda", "cuda:N" or "mps".
    """

    requests: tuple[ModelRequest, ...]
    models_folder: Path
    device: str = "auto"
    options: JobOptions = field(default_factory=JobOptions)
    is_reviewed: bool = False
    """Whether the result is reviewed: which structures are likely wrong."""

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of the catalogue, or paths of model folders."""
        return tuple(request.model for request in self.requests)


@dataclass(frozen=True)
class PreparedTask:
    """A task whose model and names have been checked: nothing but the CT is needed to run it."""

    task: SegmentationTask
    models: list[PreparedModel]
    """One for each model that the task asks, in the order of its requests."""
    previews: list[PreparedModel] = field(default_factory=list)
    """Fast models whose result is shown first, with the structures that the finer ones are asked for."""
    warnings: list[Problem] = field(default_factory=list)
    """What the user should know about the models; ``segment`` reports them."""

    @property
    def structures(self) -> list[Structure]:
        """Label set of the result, model by model, in label order: the requested structures, or all that a model
        knows."""
        return [structure for prepared in self.models for structure in prepared.structures]

    @property
    def folders(self) -> list[ModelFolder]:
        """Of all networks on which the labels depend; each once."""
        folders = (folder for prepared in self.models for folder in prepared.folders)
        return list({folder.path: folder for folder in folders}.values())

    @property
    def all_folders(self) -> list[ModelFolder]:
        """Those, and of the coarse models that may save time, give a second opinion, or a preview."""
        coarse = (model for each in self.models for model in (each.coarse_model, each.second_model))
        models = [*(model for model in coarse if model is not None), *(each.model for each in self.previews)]
        folders = [folder for model in models for folder in model.folders_to_run]
        return list({folder.path: folder for folder in (*self.folders, *folders)}.values())

    @property
    def first_folder(self) -> ModelFolder:
        """Of the network that runs first, as far as the models tell: the preview, then what others need (job_steps)."""
        if self.previews:
            first = self.previews[0]
            return (first.coarse_model or first.model).folders_to_run[0]
        needed = next((needed for each in self.models for needed in each.needed), None)
        if needed is not None:
            return needed.folders[0]
        coarse = next((each.coarse_model for each in self.models if each.coarse_model is not None), None)
        return (coarse or self.models[0].model).folders_to_run[0]


@dataclass(frozen=True)
class SegmentationResult:
    """The labels on exactly the grid of the input volume."""

    layers: list[np.ndarray]
    """Each uint8, shape (k, j, i) of the input; 0 is background. Structures of one layer do not overlap."""
    structures: list[Structure]
    """Label set of the result, model by model, in the order of their labels there; each name once. What a voxel's
    value means is in ``found``."""
    found: list[FoundStructure]
    """Structures with at least one voxel."""
    absent: list[str]
    """Names of ``structures`` without a voxel."""
    models: list[str]
    """Model ids of the catalogue, or the dataset names of model folders, in the order of computation."""
    profiles: dict[str, str]
    """Id of the profile that was run, by model."""
    device: str
    """The device that was used: "cpu", "cuda:0", "mps"."""
    seconds: float
    options: JobOptions = field(default_factory=JobOptions)
    """As requested, with the runtime and precision that were used."""
    flags: tuple[Flag, ...] | None = None
    """Of the review; None where there was none."""
    agreement: Agreement | None = None
    """With the exact labels; None where these are exact or were not checked."""

    def model_of(self, found: FoundStructure) -> str:
        """The model that found one of the structures."""
        return found.model or self.models[0]
