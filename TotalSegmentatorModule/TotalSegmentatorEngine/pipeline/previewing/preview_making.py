"""What the fast models of a job have found, on the CT's grid as soon as the last of them has run.

Whatever fails of it is no reason to end the job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import FoundStructure, Stage
from TotalSegmentatorWire.tables.published_rules import PublishedStep

from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.imaging.voxel_digest import with_digests
from TotalSegmentatorEngine.job.prepared_model import PreparedModel
from TotalSegmentatorEngine.job.reporting import PREVIEW_CHECKED_SHARE, PREVIEW_RESTORED_SHARE, Reporter
from TotalSegmentatorEngine.machine.allocator import trim_memory
from TotalSegmentatorEngine.machine.out_of_memory import is_out_of_memory
from TotalSegmentatorEngine.pipeline.finishing.layered_labels import LayeredLabels, ModelLabels
from TotalSegmentatorEngine.pipeline.finishing.merged_labels import MergedLabels
from TotalSegmentatorEngine.pipeline.finishing.published_post import Measured
from TotalSegmentatorEngine.plan.job_steps import Step
from TotalSegmentatorEngine.statistics.structure_statistics import with_statistics

_MODEL_CODES = ("MODEL_DAMAGED", "MODEL_UNSAFE", "MODEL_MISSING")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PreviewLabels:
    """Measured like a result, so that it can be told later whether somebody has changed them."""

    models: list[PreparedModel]
    layers: list[np.ndarray]
    """Each uint8 (k, j, i) of the CT; structures of one do not overlap."""
    found: list[FoundStructure]
    device: str
    options: JobOptions
    """With the runtime and the precision that were used."""
    flags: None = None
    agreement: None = None
    """It is neither reviewed nor checked."""


OnPreview = Callable[[PreviewLabels], None]


class JobParts(Protocol):
    """What is needed of a job (pipeline/job_planning.py)."""

    steps: Sequence[Step]
    reporter: Reporter

    def forget_networks(self) -> None:
        """All that are in memory."""


class PreviewMaking:
    """Makes the preview of one job, once; ``on_preview`` gets it, None where the job has none."""

    def __init__(self, volume: Volume, job: JobParts, measured: Measured, on_preview: OnPreview | None) -> None:
        self._volume = volume
        self._job = job
        self._measured = measured
        self._on_preview = on_preview
        self._is_made = False

    @property
    def _shown(self) -> list[Step]:
        return [step for step in self._job.steps if step.preview is not None]

    def needs(self, step: Step) -> bool:
        """Whether the labels of the step are still to be shown."""
        return step.preview is not None and not self._is_made

    @property
    def is_awaited(self) -> bool:
        """Whether there is something to show that was not shown."""
        return bool(self._shown) and not self._is_made

    def are_ready(self, done: Collection[Step]) -> bool:
        """Whether all that is to be shown has run."""
        return self.is_awaited and all(step in done for step in self._shown)

    def make(self, labels: Mapping[Step, MergedLabels], device: str, used: JobOptions) -> list[Step]:
        """Shows what is there of ``labels`` (on the network's grid of each step that has run); they stay as they are.
        Returns the steps that are not needed for this any more. Raises SegmentationError("CANCELLED")."""
        self._is_made = True
        shown = [step for step in self._shown if step in labels]
        try:
            made = self._labels_of(shown, labels, device, used)
            if made.found:
                self._on_preview(made)
        except Exception as error:
            if _is_cancelled(error):
                raise
            self._warn(error)
        return shown

    def can_do_without(self, step: Step, error: Exception) -> bool:
        """Whether the step may fail with ``error``: nobody cancels by it, and no result depends on its labels."""
        return (
            step.preview is not None
            and not _is_cancelled(error)
            and not any(step is other.cropped_by or step in other.needs.values() for other in self._job.steps)
        )

    def give_up(self, step: Step, error: Exception) -> None:
        """The job goes on without the step, and whatever waited for it does not."""
        self._warn(error, step.model.id)
        step.preview = None
        for other in self._job.steps:
            if other.localized_by is step:
                other.localized_by = None
            if other.opinion is step:
                other.opinion = None

    # -- inside --------------------------------------------------------------------------------------------------------

    def _labels_of(
        self, shown: Sequence[Step], labels: Mapping[Step, MergedLabels], device: str, used: JobOptions
    ) -> PreviewLabels:
        listen, measured = self._job.reporter.check_cancelled, self._measured
        restored = self._shares(0.0, PREVIEW_RESTORED_SHARE)
        layered = LayeredLabels(self._volume.geometry, used, measured, listen, restored)
        layered.add_all([ModelLabels(step.preview, None, labels[step], _no_mask, is_shared=True) for step in shown])
        layers, checked = layered.arrays, self._shares(PREVIEW_RESTORED_SHARE, PREVIEW_CHECKED_SHARE)
        digested = with_digests(layered.found, layers, self._volume.geometry, checked)
        found = with_statistics(digested, layers, self._volume, listen)
        return PreviewLabels([step.preview for step in shown], layers, found, device, used)

    def _shares(self, begin: float, end: float) -> Callable[[float], None]:
        def on_share(share: float) -> None:
            self._job.reporter.check_cancelled()
            self._job.reporter.progress(Stage.PREVIEWING, begin + (end - begin) * share)

        return on_share

    def _warn(self, error: Exception, model: str = "") -> None:
        """``model``: of which ``error`` tells, if of any. Where memory ran out, the networks to come get room."""
        self._job.reporter.warning(_problem(error, model))
        if is_out_of_memory(error):
            self._job.forget_networks()
            trim_memory()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()


def _is_cancelled(error: Exception) -> bool:
    return isinstance(error, SegmentationError) and error.code == "CANCELLED"


def _problem(error: Exception, model: str) -> Problem:
    if is_out_of_memory(error):
        logger.warning("no preview: memory ran out")
        return Problem("PREVIEW_MEMORY_SHORT")
    if model and isinstance(error, SegmentationError) and error.code in _MODEL_CODES:
        logger.warning("no preview: %s", error.code)
        return Problem("PREVIEW_MODEL_DAMAGED", {"model": model})
    logger.error("no preview: %s", type(error).__name__, exc_info=error)
    return Problem("PREVIEW_FAILED")


def _no_mask(published: PublishedStep) -> np.ndarray:
    raise AssertionError(f"{published.step}: the steps of fast models need no other model")
