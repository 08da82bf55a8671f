"""The result of a job for some structures only goes into the segmentation that has the others."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import numpy as np
import slicer
from TotalSegmentatorWire.agreement.kept import agreement_of
from TotalSegmentatorWire.messages.agreement import Agreement
from TotalSegmentatorWire.messages.segment import FoundStructure, ResultHeader

from TotalSegmentatorModuleLib.changes.replacement import OnBare, Replacement
from TotalSegmentatorModuleLib.rerun.request import RerunRequest
from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage, computed_segments
from TotalSegmentatorModuleLib.scene.segments import reference_volume
from TotalSegmentatorModuleLib.scene.transforms import segmentation_to_ct
from TotalSegmentatorModuleLib.tags.review_flags import FLAGS_TAG
from TotalSegmentatorModuleLib.tags.segment_tags import write_json_tag
from TotalSegmentatorModuleLib.tags.structure_measures import write_measures

_WORK_SECONDS = 0.010
_REST_MS = 5


class RerunArrival:
    """Fulfils session.Arrival. Afterwards it says what was done: ``action`` is None where nothing was."""

    def __init__(
        self,
        request: RerunRequest,
        on_bare: OnBare,
        on_arrived: Callable[[RerunArrival], None],
    ) -> None:
        self._request = request
        self._on_bare = on_bare
        self._on_arrived = on_arrived
        self.action: Replacement | None = None
        self.kept: list[str] = []
        """Structures that were edited or judged in the meantime, so that they stay as they are."""
        self.absent: list[str] = []
        """Structures that were not found, so that what there is of them stays."""
        self.agreement: Agreement | None = None
        """Of approximate labels with the exact ones; None where the labels are exact or were not checked."""

    @property
    def node(self):
        """The vtkMRMLSegmentationNode, None once it has left the scene."""
        node = slicer.mrmlScene.GetNodeByID(self._request.node_id)
        return node if node is not None and node.IsA("vtkMRMLSegmentationNode") else None

    def task(self, header: ResultHeader, images: Sequence[LabelImage], computed: str) -> Generator[int, None, Any]:
        """A part of a background task: returns the node, or None where it has gone. Ended early, it has not touched the
        scene. Raises SegmentationError("EXPORT_NONLINEAR_TRANSFORM")."""
        self.agreement = agreement_of(header.agreement)
        while True:
            node = self.node
            if node is None:
                return None
            accepted = self._accepted(node, header)
            to_ras = _to_segmentation(node) @ np.reshape(header.ijk_to_ras, (4, 4))
            part = dataclasses.replace(header, found=accepted, ijk_to_ras=to_ras.ravel().tolist())
            segments = yield from _segments(part, images)
            yield _REST_MS  # the scene's turn is a step of its own
            node = self.node
            if node is None:
                return None
            is_same_space = np.array_equal(_to_segmentation(node) @ np.reshape(header.ijk_to_ras, (4, 4)), to_ras)
            if self._accepted(node, header) == accepted and is_same_space:
                break
        self.kept = [each.name for each in header.found if each.name in self._request.structures]
        self.kept = [each for each in self.kept if each not in segments]
        self.absent = [each for each in header.absent if each in self._request.structures]
        if segments:
            kept_computed = computed if np.array_equal(to_ras.ravel(), header.ijk_to_ras) else ""
            self.action = Replacement(node, segments, kept_computed, self._on_bare)
        return node

    def arrived(self) -> None:
        """The job has ended."""
        self._on_arrived(self)

    def _accepted(self, node, header: ResultHeader) -> list[FoundStructure]:
        wanted = [each for each in header.found if each.name in self._request.structures]
        return [each for each in wanted if self._request.may_replace(node, each.name)]


def _to_segmentation(node) -> np.ndarray:
    """4 x 4: the coordinates of the CT on which ``node`` was made to its own, RAS in mm."""
    ct = reference_volume(node)
    return np.linalg.inv(segmentation_to_ct(node, ct)) if ct is not None else np.eye(4)


def _segments(header: ResultHeader, images: Sequence[LabelImage]) -> Generator[int, None, dict[str, Any]]:
    """The vtkSegments of what ``header`` found, by their names; those of a layer share an image of their own."""
    layers: list[LabelImage] = []
    found: list[FoundStructure] = []
    for number, image in enumerate(images):
        of_layer = [each for each in header.found if each.layer == number]
        if of_layer:
            found += [dataclasses.replace(each, layer=len(layers)) for each in of_layer]
            layers.append((yield from _cut_out(of_layer, image)))
    header = dataclasses.replace(header, found=found)
    segments: dict[str, Any] = {}
    deadline = time.monotonic() + _WORK_SECONDS
    for name, segment in computed_segments(layers, header):
        segments[name] = segment
        if header.review:
            rows = [row for row in header.review.get("flags", ()) if row["structure"] == name]
            write_json_tag(segment, FLAGS_TAG, rows)
        if time.monotonic() >= deadline:
            yield _REST_MS
            deadline = time.monotonic() + _WORK_SECONDS
    write_measures(segments, header)
    return segments


def _cut_out(found: list[FoundStructure], image: LabelImage) -> Generator[int, None, LabelImage]:
    """The box of these structures, without the others."""
    low, high = _box(found)
    labels = LabelImage(tuple(high - low), tuple(int(first) for first in low))
    values = np.zeros(256, np.uint8)
    for each in found:
        values[each.label] = each.label
    source = image.array[tuple(slice(*ends) for ends in zip(low, high, strict=True))]
    deadline = time.monotonic() + _WORK_SECONDS
    for target, plane in zip(labels.array, source, strict=True):
        np.take(values, plane, out=target)
        if time.monotonic() >= deadline:
            yield _REST_MS
            deadline = time.monotonic() + _WORK_SECONDS
    return labels


def _box(found: list[FoundStructure]) -> tuple[np.ndarray, np.ndarray]:
    """First k, j, i and those after the last ones of all structures together."""
    extents = np.array([each.extent for each in found])
    return extents[:, [4, 2, 0]].min(axis=0), extents[:, [5, 3, 1]].max(axis=0) + 1
