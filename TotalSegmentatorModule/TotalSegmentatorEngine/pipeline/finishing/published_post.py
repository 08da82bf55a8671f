"""The published post-processing of a model, at its places between the networks and the finished layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import numpy as np
from TotalSegmentatorWire.tables.published_rules import PublishedStep

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.prepared_model import CT_GRID, NETWORK_GRID, PreparedModel
from TotalSegmentatorEngine.labels.published_steps import apply_published_steps
from TotalSegmentatorEngine.pipeline.finishing.merged_labels import MergedLabels, ShareCallback
from TotalSegmentatorEngine.plan.rates import Work, published_work
from TotalSegmentatorEngine.preprocessing.cut_volume import Box

Measured = Callable[[Work], AbstractContextManager[None]]
"""Measures the work that is done within it."""


def post_process_on_grid(
    merged: MergedLabels, prepared: PreparedModel, measured: Measured, on_share: ShareCallback
) -> None:
    """The steps on the network's grid, once, on all labels of the model: all of them or, where memory runs out in one,
    none, so that a job which goes on with less begins with what the networks gave. Raises what ``on_share`` does."""
    steps = prepared.steps_on(NETWORK_GRID)
    if not steps or merged.is_post_processed:
        return
    with measured(published_work(steps, merged.labels.size)):
        labels = merged.labels.copy()
        apply_published_steps(labels, steps, numbers_of(prepared), merged.spacing, on_share=on_share)
    merged.labels, merged.is_post_processed = labels, True


def post_process_on_ct(
    labels: np.ndarray,
    geometry: Geometry,
    prepared: PreparedModel,
    mask_of: Callable[[PublishedStep], np.ndarray],
    measured: Measured,
    on_share: ShareCallback,
) -> None:
    """The steps on the CT's grid, in place: ``labels`` uint8 (k, j, i) of ``geometry``. ``mask_of`` gives where
    another model has found the structures of a step, in the shape of ``labels``. Raises what ``on_share`` does."""
    steps = prepared.steps_on(CT_GRID)
    spacing = tuple(reversed(geometry.spacing))
    with measured(published_work(steps, labels.size)):
        apply_published_steps(labels, steps, numbers_of(prepared), spacing, mask_of, on_share)


def mask_from(
    merged: MergedLabels, numbers: Mapping[str, int], structures: tuple[str, ...], check_cancelled: Callable[[], None]
) -> np.ndarray:
    """Where a model has found one of the structures: bool (k, j, i) of what it got of the CT."""
    table = np.zeros(256, dtype=bool)
    table[[numbers[name] for name in structures]] = True
    labels, _found = merged.restore((), check_cancelled, lambda share: check_cancelled())
    return table[labels]


def on_other_box(mask: np.ndarray, own: Box | None, other: Box | None, shape: tuple[int, int, int]) -> np.ndarray:
    """A mask of one box of the CT of ``shape`` as one of another box; false where the first does not reach."""
    if own == other:
        return mask
    whole = mask
    if own is not None:
        whole = np.zeros(shape, dtype=bool)
        whole[own] = mask
    return whole if other is None else whole[other]


def numbers_of(prepared: PreparedModel) -> dict[str, int]:
    """The labels of all structures that the model knows."""
    return {structure.name: structure.label for structure in prepared.model.structures}
