"""Which models a job runs, in which order, and which of them wait for another: each runs once, whatever it is for."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from TotalSegmentatorWire.messages.plan import CROPPING, LOCALIZATION, PREVIEW, SECOND_OPINION, SEGMENTATION

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.prepared_model import PreparedModel
from TotalSegmentatorEngine.job.task import PreparedTask
from TotalSegmentatorEngine.models.find_model import Model, Part
from TotalSegmentatorEngine.models.model_folder import ModelFolder
from TotalSegmentatorEngine.plan.tile_counts import Regions, tiles_of
from TotalSegmentatorEngine.preprocessing.cut_volume import Box
from TotalSegmentatorEngine.preprocessing.network_input import network_grid

LOCALIZATION_SHARE = 0.25
"""A coarse localization pass is made where it costs at most this share of the voxels of a run without one."""

SECOND_OPINION_SHARE = 0.1
"""A second opinion is asked for by itself where it costs at most this share of the voxels of the run itself: the 3 mm
model beside the five parts at 1.5 mm costs a twentieth."""


@dataclass(eq=False)
class Step:
    """One model over the CT, over a box of it, or over regions of its grid."""

    model: Model
    purpose: str
    """SEGMENTATION where it gives a part of the result, else what its labels are for."""
    prepared: PreparedModel | None = None
    """What the job wants of the model, and its crop; None for a coarse pass of its own."""
    number: int | None = None
    """Of the request whose result it gives."""
    cropped_by: Step | None = None
    localized_by: Step | None = None
    opinion: Step | None = None
    """The coarser model with whose labels the review compares these."""
    needs: dict[str, Step] = field(default_factory=dict)
    """By model id: steps whose labels the published post-processing needs."""
    preview: PreparedModel | None = None
    """What the preview shows of its labels."""
    is_asked_by_others: bool = False
    """Other steps, or the review, need the labels on the network's grid."""

    @property
    def parts(self) -> list[Part]:
        return self.model.parts_to_run

    def gives(self, name: str) -> bool:
        """Whether the structure of this name is a part of the result that the step gives."""
        return self.number is not None and any(structure.name == name for structure in self.prepared.structures)

    def finds(self, part: Part, name: str) -> bool:
        """Whether it is the part that finds the structure of this name."""
        labels = set(part.labels.values())
        return any(structure.name == name and structure.label in labels for structure in self.model.structures)

    def overwritten_by(self, part: Part) -> frozenset[int]:
        """Labels that the part overwrites wherever it finds something: those of the parts before it."""
        before = self.model.parts[: self.model.parts.index(part)]
        return frozenset(label for earlier in before for label in earlier.labels.values())

    @property
    def folders(self) -> list[ModelFolder]:
        return self.model.folders_to_run

    @property
    def waits_for(self) -> list[Step]:
        """Those that say where it runs."""
        return [step for step in (self.cropped_by, self.localized_by) if step is not None]


@dataclass(frozen=True, eq=False)
class Scope:
    """Where a step runs, as far as that is known."""

    box: Box | None = None
    """Of the CT, which the step gets; None: all of it."""
    regions: Regions | None = None
    """Of the network's grid; None: all of it."""
    is_empty: bool = False
    """Nothing was found in whose box it would run."""


@dataclass(eq=False)
class JobState:
    """What a running job has found out and done."""

    scopes: dict[Step, Scope] = field(default_factory=dict)
    """Of the steps that waited for others."""
    done: set[Step] = field(default_factory=set)

    def scope(self, step: Step) -> Scope:
        return self.scopes.get(step, Scope())

    def is_known(self, step: Step) -> bool:
        """Whether it is certain where the step runs."""
        return step in self.scopes or not step.waits_for


def job_steps(geometry: Geometry, prepared: PreparedTask) -> tuple[Step, ...]:
    """The steps of a job on a CT of ``geometry``, each after those that it waits for: first what the preview shows,
    then the passes that only say where others run, then the requests in their order, last the second opinions."""
    return _JobSteps(geometry, prepared).made()


def certain_folders(steps: Iterable[Step], state: JobState) -> list[list[ModelFolder]]:
    """By step to come, of those that certainly run: the others' weights are not read ahead."""
    certain = []
    for step in steps:
        if step in state.done:
            continue
        if not state.is_known(step):
            break
        scope = state.scope(step)
        if scope.is_empty:
            continue
        regions = scope.regions
        certain.append([part.folder for part in step.parts if regions is None or regions[part.name] is not None])
    return certain


class _JobSteps:
    def __init__(self, geometry: Geometry, prepared: PreparedTask) -> None:
        self._geometry = geometry
        self._options = prepared.task.options
        self._requests = prepared.models
        self._previews = prepared.previews
        self._steps: dict[Hashable, Step] = {}

    def made(self) -> tuple[Step, ...]:
        for preview in self._previews:
            self._preview(preview)
        for request in self._requests:
            for needed in request.needed:
                self._needed(needed)
        localizing = [self._localization(request) for request in self._requests]
        requested = [
            self._requested(number, request, localized_by)
            for number, (request, localized_by) in enumerate(zip(self._requests, localizing, strict=True))
        ]
        for step in requested:
            step.opinion = step.localized_by or self._second_opinion(step.prepared)
            if step.opinion is not None:
                step.opinion.is_asked_by_others = True
        return tuple(self._steps.values())

    def _preview(self, preview: PreparedModel) -> None:
        """Localized as the same request to the fast model would be, unless others need its labels of the whole CT."""
        key = _key(preview.model, preview)
        whole = {_key(needed.model, needed) for needed in _all_needed(self._requests)}
        localized_by = None if key in whole else self._localization(preview)
        step = Step(preview.model, PREVIEW, preview, localized_by=localized_by, preview=preview)
        self._steps[key] = step

    def _needed(self, prepared: PreparedModel, purpose: str = CROPPING) -> Step:
        """The step whose labels other models need."""
        key = _key(prepared.model, prepared)
        if key not in self._steps:
            self._connect(Step(prepared.model, purpose, prepared), prepared)
        step = self._steps[key]
        step.is_asked_by_others = True
        return step

    def _requested(self, number: int, request: PreparedModel, localized_by: Step | None) -> Step:
        key = _key(request.model, request)
        step = self._steps.get(key)
        if step is None:
            step = Step(request.model, SEGMENTATION, request, number, localized_by=localized_by)
            return self._connect(step, request)
        step.purpose, step.number = SEGMENTATION, number
        step.prepared = request
        return step

    def _connect(self, step: Step, prepared: PreparedModel) -> Step:
        """Makes those first that it needs, then adds it."""
        if prepared.crop is not None:
            step.cropped_by = self._needed(prepared.crop.by)
        step.needs = {model: self._needed(needed) for model, needed in prepared.step_models.items()}
        self._steps[_key(step.model, prepared)] = step
        return step

    def _localization(self, request: PreparedModel) -> Step | None:
        """The coarse pass by which a request is localized: one that costs little beside what it may save, or that the
        job makes anyway. A model that runs over the whole CT for others is not localized."""
        coarse = request.coarse_model
        if coarse is None or _key(request.model, request) in self._steps:
            return None
        return self._coarse_step(coarse, request, LOCALIZATION, LOCALIZATION_SHARE)

    def _second_opinion(self, request: PreparedModel) -> Step | None:
        second = request.second_model
        if second is None:
            return None
        share = math.inf if self._options.second_opinion == "on" else SECOND_OPINION_SHARE
        return self._coarse_step(second, request, SECOND_OPINION, share)

    def _coarse_step(self, coarse: Model, request: PreparedModel, purpose: str, share: float) -> Step | None:
        key = _key(coarse, None)
        whole = self._whole_requests()
        if key not in self._steps and key not in whole and self._share_of(coarse, request.model) > share:
            return None
        if key not in self._steps and key in whole:
            number, own = whole[key]
            self._requested(number, own, None)
        if key not in self._steps:
            self._steps[key] = Step(coarse, purpose)
        step = self._steps[key]
        step.is_asked_by_others = True
        return step

    def _whole_requests(self) -> dict[Hashable, tuple[int, PreparedModel]]:
        """Those that run over the whole CT whatever else the job does, by their key."""
        return {
            _key(request.model, request): (number, request)
            for number, request in enumerate(self._requests)
            if request.crop is None and request.coarse_model is None
        }

    def _share_of(self, coarse: Model, model: Model) -> float:
        """Of the voxels that a run without a localization predicts, those that the coarse model does."""
        return self._predicted_voxels(coarse) / self._predicted_voxels(model)

    def _predicted_voxels(self, model: Model) -> int:
        """By all tiles over the whole CT."""
        grid = network_grid(self._geometry, model.profile, model.folders_to_run[0])
        return sum(
            tiles_of(grid, grid.whole, folder, model.profile, len(model.parts)) * math.prod(folder.patch_size)
            for folder in model.folders_to_run
        )


def _all_needed(requests: Iterable[PreparedModel]) -> Iterator[PreparedModel]:
    for request in requests:
        for needed in request.needed:
            yield needed
            yield from _all_needed([needed])


def _key(model: Model, prepared: PreparedModel | None) -> Hashable:
    """The same for steps that give the same labels."""
    crop = None if prepared is None or prepared.crop is None else prepared.crop
    of_crop = crop and (_key(crop.by.model, crop.by), crop.classes, crop.margin_mm)
    return model.id, model.profile.id, of_crop
