"""A segmentation that waits for the set-up: what it needs, and what is left of its choices when that is there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.tables.catalogue import with_needed_models

from TotalSegmentatorModuleLib import settings
from TotalSegmentatorModuleLib.background import installed_engine
from TotalSegmentatorModuleLib.model_choices import CATALOGUE
from TotalSegmentatorModuleLib.scene.output_segmentation import OutputChoice
from TotalSegmentatorModuleLib.segment.session import JobOrder


@dataclass(frozen=True)
class SetupNeeds:
    """What has to be installed before a job can run; ``is_repair``: packages that do not work are there."""

    models: tuple[str, ...] = ()
    has_engine: bool = True
    is_repair: bool = False

    @property
    def is_nothing(self) -> bool:
        return self.has_engine and not self.models and not self.is_repair


def needs_of(order: JobOrder) -> SetupNeeds:
    """Anything that the catalogue lacks is a model folder, which the engine validates. A server has its own models."""
    wanted = [request.model for request in order.requests if order.server is None and request.model in CATALOGUE]
    needed = with_needed_models(wanted)
    missing = [model for model in needed if not CATALOGUE[model].is_installed(order.models_folder)]
    return SetupNeeds(tuple(missing), installed_engine.has_engine())


class PendingOrder:
    """Keeps an order while an installation runs; meanwhile the user may change or remove its nodes."""

    def __init__(self, order: JobOrder) -> None:
        self._order = order
        self._ct_id = order.ct.GetID()
        self._output = OutputChoice(order.output)

    @property
    def ct_id(self) -> str:
        return self._ct_id

    @property
    def lost_output(self) -> bool:
        """Whether the segmentation to replace was edited or removed since."""
        return self._output.is_lost

    def resolved(self) -> JobOrder:
        """The order as it can be carried out now. Raises SegmentationError("INPUT_REMOVED")."""
        ct = slicer.mrmlScene.GetNodeByID(self._ct_id)
        if ct is None or ct is not self._order.ct:
            raise SegmentationError("INPUT_REMOVED")
        return replace(self._order, output=self._output.resolve(), models_folder=settings.models_folder())
