"""One model of a job after it has been checked: what it is to find, and which other models it needs for that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from TotalSegmentatorWire.tables.structures import Structure

if TYPE_CHECKING:
    from TotalSegmentatorWire.tables.published_rules import PublishedStep

    from TotalSegmentatorEngine.models.find_model import Model
    from TotalSegmentatorEngine.models.model_folder import ModelFolder

NETWORK_GRID, CT_GRID = "network", "ct"
"""Of a PublishedStep: on whose grid it works."""


@dataclass(frozen=True, eq=False)
class PreparedCrop:
    """The part of a CT that a model gets: the box of what another model finds."""

    by: PreparedModel
    classes: tuple[str, ...]
    """Structures of that model; the box holds all of them that it finds."""
    margin_mm: float
    """On each side of the box."""


@dataclass(frozen=True, eq=False)
class PreparedModel:
    """A model and the structures that a job wants of it."""

    model: Model
    structures: list[Structure]
    """In label order: the requested ones, or all that the model knows."""
    is_named: bool = False
    """The user has named the structures: they are searched for even where a coarse pass sees none."""
    crop: PreparedCrop | None = None
    """As published for the model; None: it gets the whole CT."""
    post_processing: tuple[PublishedStep, ...] = ()
    """As published for the model."""
    step_models: dict[str, PreparedModel] = field(default_factory=dict)
    """By id: other models whose labels the post-processing needs."""
    coarse_model: Model | None = None
    """An installed coarse model of the same family that can localize the structures, where that is wanted."""
    second_model: Model | None = None
    """An installed coarser model of the same family for the review's second opinion, where that is wanted and no
    localization gives one."""

    def steps_on(self, grid: str) -> list[PublishedStep]:
        """Of the post-processing, on NETWORK_GRID or CT_GRID."""
        return [step for step in self.post_processing if step.grid == grid]

    @property
    def needed(self) -> Iterator[PreparedModel]:
        """The other models without whose labels this one has none."""
        if self.crop is not None:
            yield self.crop.by
        yield from self.step_models.values()

    @property
    def folders(self) -> list[ModelFolder]:
        """Those on which the labels depend: of the model, and of those that it needs."""
        others = [folder for model in self.needed for folder in model.folders]
        return [*others, *self.model.folders_to_run]
