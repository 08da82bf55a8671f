"""The labels of all models of a job on the CT's grid, in as few layers as they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import FoundStructure
from TotalSegmentatorWire.tables.published_rules import PublishedStep

from TotalSegmentatorEngine.imaging.geometry import Geometry
from TotalSegmentatorEngine.job.prepared_model import CT_GRID, PreparedModel
from TotalSegmentatorEngine.labels.layers import Layers, Place
from TotalSegmentatorEngine.labels.merging import found_structures, keep_only
from TotalSegmentatorEngine.pipeline.finishing.merged_labels import MergedLabels, ShareCallback
from TotalSegmentatorEngine.pipeline.finishing.published_post import (
    Measured,
    post_process_on_ct,
    post_process_on_grid,
)
from TotalSegmentatorEngine.plan.rates import islands_work, restoring_work
from TotalSegmentatorEngine.preprocessing.cut_volume import Box, cut_geometry

_POSTED_SHARE, _PIECES_SHARE, _RESTORED_SHARE = 0.2, 0.5, 0.9
"""Of the time for one model: after the published steps on the network's grid, after pieces are removed, and after the
labels are on the CT's grid."""


@dataclass(frozen=True, eq=False)
class ModelLabels:
    """What one model of a job has found."""

    prepared: PreparedModel
    box: Box | None
    """Of the CT, which the model got; None: all of it."""
    labels: MergedLabels | None
    """None where the model did not run."""
    mask_of: Callable[[PublishedStep], np.ndarray]
    """Where another model has found the structures that a published step needs: bool (k, j, i) of the box."""
    is_shared: bool = False
    """Other models, or the review, need the labels as they are."""


class LayeredLabels:
    """Restores the labels of one model after the other and puts each into the layers."""

    def __init__(
        self,
        geometry: Geometry,
        options: JobOptions,
        measured: Measured,
        check_cancelled: Callable[[], None],
        on_share: ShareCallback,
    ) -> None:
        """``geometry``: of the CT. ``on_share`` gets the done share of all models."""
        self._geometry = geometry
        self._options = options
        self._measured = measured
        self._check_cancelled = check_cancelled
        self._on_share = on_share
        self._layers = Layers(geometry.shape, check_cancelled)
        self.found: list[FoundStructure] = []
        """Structures with a voxel, model by model, with their place in the layers."""

    @property
    def arrays(self) -> list[np.ndarray]:
        """uint8 (k, j, i) of the CT; one at least."""
        return self._layers.arrays or [np.zeros(self._geometry.shape, dtype=np.uint8)]

    def add_all(self, models: Sequence[ModelLabels]) -> None:
        """Raises what ``check_cancelled`` and ``on_share`` do."""
        for number, model in enumerate(models):
            begin, length = number / len(models), 1 / len(models)

            def on_share(share: float, begin: float = begin, length: float = length) -> None:
                self._check_cancelled()
                self._on_share(begin + length * share)

            on_share(0.0)
            if model.labels is not None:
                self._add(model, on_share, is_only=len(models) == 1)

    def _add(self, model: ModelLabels, on_share: ShareCallback, is_only: bool) -> None:
        merged = model.labels.copy() if model.is_shared else model.labels
        post_process_on_grid(merged, model.prepared, self._measured, _part_of(on_share, 0.0, _POSTED_SHARE))
        labels, found = self._restored(model, merged, on_share)
        if not is_only and np.may_share_memory(labels, merged.labels):
            labels = labels.copy()  # others will be written into it, and a job that lacks memory begins here again
        places = self._layers.add(labels, {structure.label for structure in found}, model.box)
        self.found += [placed(structure, places[structure.label], model) for structure in found]

    def _restored(
        self, model: ModelLabels, merged: MergedLabels, on_share: ShareCallback
    ) -> tuple[np.ndarray, list[FoundStructure]]:
        """The wanted labels on the grid of what the model got of the CT, and the structures found there."""
        prepared, listen = model.prepared, self._check_cancelled
        wanted, known = prepared.structures, prepared.model.structures
        follows = bool(prepared.steps_on(CT_GRID))
        if len(wanted) < len(known) and not follows:
            merged.keep_only(wanted, listen)
        with self._measured(islands_work(self._options, merged.voxels)):
            merged.remove_pieces(self._options, _part_of(on_share, _POSTED_SHARE, _PIECES_SHARE))
        geometry = cut_geometry(self._geometry, model.box)
        with self._measured(restoring_work(geometry.shape, merged.voxels, merged.is_smooth)):
            to_end = _part_of(on_share, _PIECES_SHARE, _RESTORED_SHARE)
            labels, found = merged.restore(known if follows else wanted, listen, to_end)
        if not follows:
            return labels, found
        labels = labels.copy() if np.may_share_memory(labels, merged.labels) else labels
        to_end = _part_of(on_share, _RESTORED_SHARE, 1.0)
        post_process_on_ct(labels, geometry, prepared, model.mask_of, self._measured, to_end)
        keep_only(labels, [structure.label for structure in wanted], listen)
        return labels, found_structures(labels, wanted, lambda _share: listen())


def _part_of(on_share: ShareCallback, begin: float, end: float) -> ShareCallback:
    """A function that takes the done share of a part of the time, from ``begin`` to ``end``."""
    return lambda share: on_share(begin + (end - begin) * share)


def placed(structure: FoundStructure, place: Place, model: ModelLabels) -> FoundStructure:
    """The structure where it lies in the layers of the whole CT."""
    starts = [0, 0, 0] if model.box is None else [part.start for part in reversed(model.box)]
    extent = [edge + starts[number // 2] for number, edge in enumerate(structure.extent)]
    return dataclasses.replace(
        structure, label=place.label, layer=place.layer, extent=extent, model=model.prepared.model.id
    )
