"""Where the steps of a job run that wait for another: known when that one has given its labels."""

from __future__ import annotations

from collections.abc import Sequence

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.pipeline.coarse_localization import localization_of, part_regions
from TotalSegmentatorEngine.pipeline.finishing.merged_labels import MergedLabels
from TotalSegmentatorEngine.plan.job_steps import JobState, Scope, Step
from TotalSegmentatorEngine.preprocessing.cut_volume import Box, box_of_extents
from TotalSegmentatorEngine.preprocessing.network_input import network_grid


class StepScopes:
    """Puts the scopes of steps into the ``state`` of a job on a CT of ``geometry``."""

    def __init__(self, geometry: Geometry, steps: Sequence[Step], state: JobState, reporter: Reporter) -> None:
        self._geometry = geometry
        self._steps = steps
        self._state = state
        self._reporter = reporter
        self._reasons: dict[Step, dict[str, str]] = {}
        """Of the steps that do not run: what was looked for, and by which model."""

    def after(self, step: Step, labels: MergedLabels | None) -> bool:
        """Whether a step is known now that waited for ``step``, whose labels on its grid these are (None: it did not
        run). Warns where nothing was found. Raises SegmentationError("CANCELLED")."""
        changed = False
        for other in self._steps:
            if other.cropped_by is step:
                self._state.scopes[other] = self._cropped(other, labels)
                changed = True
            elif other.localized_by is step:
                self._state.scopes[other] = self._localized(other, labels)
                changed = True
        return changed

    def _cropped(self, step: Step, labels: MergedLabels | None) -> Scope:
        crop = step.prepared.crop
        known = [structure for structure in crop.by.model.structures if structure.name in crop.classes]
        listen = self._reporter.check_cancelled
        extents = [] if labels is None else [found.extent for found in labels.found(known, listen)]
        inner = self._state.scope(step.cropped_by).box
        box = box_of_extents([_moved(extent, inner) for extent in extents], self._geometry, crop.margin_mm)
        if box is not None:
            return Scope(box=box)
        own = {"structures": ", ".join(crop.classes), "by": crop.by.model.id}
        self._reasons[step] = own if labels is not None else self._reasons[step.cropped_by]
        if step.number is not None:
            self._reporter.warning(Problem("CROP_FOUND_NOTHING", {"model": step.model.id, **self._reasons[step]}))
        return Scope(is_empty=True)

    def _localized(self, step: Step, labels: MergedLabels) -> Scope:
        """Structures that the user named are searched for even where the coarse model found none; of a whole set
        cropped to the body, what it did not find counts as absent."""
        prepared = step.prepared
        localization = localization_of(labels.labels, labels.grid, step.localized_by.model)
        names = [structure.name for structure in prepared.structures]
        missed = localization.missed(names)
        if prepared.is_named and missed:
            self._reporter.warning(Problem("LOCALIZATION_MISSED", {"structures": ", ".join(missed)}))
        grid = network_grid(self._geometry, step.model.profile, step.folders[0])
        regions = part_regions(localization, step.model, set(names), grid, searches_missed=prepared.is_named)
        return Scope(regions=regions)


def _moved(extent: Sequence[int], box: Box | None) -> list[int]:
    """An extent (i, j, k) within a box of the CT as one of the CT."""
    if box is None:
        return list(extent)
    starts = [part.start for part in reversed(box) for _end in range(2)]
    return [place + start for place, start in zip(extent, starts, strict=True)]
