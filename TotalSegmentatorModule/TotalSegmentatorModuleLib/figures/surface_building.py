"""Makes the closed surfaces of a segmentation one structure at a time, by Slicer's own conversion.

Slicer converts all segments in one go, and looks at every voxel of the shared label image for each: 30 s of processor
time for 59 structures at 512 x 512 x 300, in which the application stands still. Here each structure is converted from
the box of voxels that it fills, with surface nets: 2 s for the same surfaces, the application answering in between.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Generator, Hashable, Sequence
from typing import Any

import numpy as np
import slicer
import vtk
import vtk.util.numpy_support

from TotalSegmentatorModuleLib.figures.label_boxes import Box, label_boxes
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.segment_voxels import BINARY_LABELMAP, SegmentVoxels
from TotalSegmentatorModuleLib.scene.segments import all_segments

CLOSED_SURFACE = "Closed surface"
TOGETHER_SECONDS = 0.4
"""Surfaces are shown several at a time: each time the views and all that observes the segmentation are brought up to
date."""


def has_surfaces(node) -> bool:
    """Whether the 3-D views can show ``node`` (vtkMRMLSegmentationNode): they ask its first segment."""
    return node.GetSegmentation().ContainsRepresentation(CLOSED_SURFACE)


def segments_without_surface(node) -> list[str]:
    segmentation = node.GetSegmentation()
    return [
        each for each in all_segments(node) if segmentation.GetSegment(each).GetRepresentation(CLOSED_SURFACE) is None
    ]


def hide_surfaces(node) -> None:
    """Remove them, so that no stroke of an edit has to make them anew, as Slicer's own button does."""
    node.RemoveClosedSurfaceRepresentation()


class SurfaceBuilding:
    """Gives all segments of ``node`` (vtkMRMLSegmentationNode) a surface. ``first``: ids in the order in which they are
    made before all others.

    Where one segment has a surface that is shown, Slicer makes those that are missing at once
    (vtkMRMLSegmentationsDisplayableManager3D, UpdateDisplayNodePipeline). So all segments have an empty one until
    their own is ready; whoever does not let ``steps`` come to its end has to ``cancel``, that none stays empty.
    """

    def __init__(self, node, first: Sequence[str]) -> None:
        self._node = node
        self._first = tuple(first)
        self._boxes: dict[Hashable, dict[int, Box]] = {}
        self._empty: dict[str, Any] = {}
        self._waiting: dict[str, tuple[Hashable, Any]] = {}
        self._shown_at = float("-inf")

    def steps(self) -> Generator[tuple[int, int], None, None]:
        """Each step takes some milliseconds to some tenths of a second; yields how many segments are done, of how many.
        Ends early where the segmentation leaves the scene, or its surfaces are removed elsewhere."""
        self.begin()
        while self._is_there() and (self._missing() or self._waiting):
            missing = self._missing()
            if missing:
                yield from self._made(missing)
            if not missing[1:] or time.monotonic() - self._shown_at >= TOGETHER_SECONDS:
                self._show()  # what was drawn on meanwhile is missing again

    def cancel(self) -> None:
        """Remove all surfaces; no step may follow."""
        if slicer.mrmlScene.IsNodePresent(self._node):
            hide_surfaces(self._node)

    def begin(self) -> None:
        """Give all segments that have none an empty surface, if that is not left to the first step."""
        segmentation = self._node.GetSegmentation()
        use_surface_nets(segmentation)
        empty = {each: vtk.vtkPolyData() for each in segments_without_surface(self._node)}
        self._empty.update(empty)
        with told_once(self._node):
            for segment_id, surface in empty.items():
                segmentation.GetSegment(segment_id).AddRepresentation(CLOSED_SURFACE, surface)

    def _made(self, missing: Sequence[str]) -> Generator[tuple[int, int], None, None]:
        """Convert the first of ``missing``."""
        segment = self._node.GetSegmentation().GetSegment(missing[0])
        for _plane in self._boxes_of(segment):
            yield self._progress(missing)
        if self._is_there() and self._node.GetSegmentation().GetSegment(missing[0]) is segment:
            self._waiting[missing[0]] = (_stamp(segment), self._surface(segment))
        yield self._progress(missing[1:])

    def _is_there(self) -> bool:
        return bool(slicer.mrmlScene.IsNodePresent(self._node)) and has_surfaces(self._node)

    def _progress(self, missing: Collection[str]) -> tuple[int, int]:
        count = self._node.GetSegmentation().GetNumberOfSegments()
        return count - len(missing), count

    def _missing(self) -> list[str]:
        """Ids of segments whose surface is still the empty one, and for which none is ready, in the order in which they
        are made. Slicer fills the empty one of a segment that somebody draws on."""
        segmentation = self._node.GetSegmentation()
        segments = {each: segmentation.GetSegment(each) for each in self._empty if each not in self._waiting}
        ids = [
            each
            for each, segment in segments.items()
            if segment is not None
            and segment.GetRepresentation(CLOSED_SURFACE) is self._empty[each]
            and self._empty[each].GetNumberOfPoints() == 0
        ]
        rank = {each: place for place, each in enumerate(self._first)}
        return sorted(ids, key=lambda each: rank.get(each, len(rank)))

    def _boxes_of(self, segment) -> Generator[None, None, None]:
        """Looks through the segment's label image, once for all segments that share it and as often as it changes."""
        image = segment.GetRepresentation(BINARY_LABELMAP)
        while image is not None and (stamp := _image_stamp(image)) not in self._boxes:
            boxes = yield from label_boxes(_array(image))
            if _image_stamp(image) == stamp:
                self._boxes[stamp] = boxes

    def _surface(self, segment):
        """A vtkPolyData, empty where the segment has no voxels."""
        image = segment.GetRepresentation(BINARY_LABELMAP)
        box = None if image is None else self._boxes.get(_image_stamp(image), {}).get(segment.GetLabelValue())
        if box is None:
            return vtk.vtkPolyData()
        part = slicer.vtkSegment()
        part.AddRepresentation(BINARY_LABELMAP, _cut_out(image, segment.GetLabelValue(), box).image())
        alone = slicer.vtkSegmentation()
        alone.SetSourceRepresentationName(BINARY_LABELMAP)
        alone.DeserializeConversionParameters(self._node.GetSegmentation().SerializeAllConversionParameters())
        alone.AddSegment(part, "part")
        alone.CreateRepresentation(CLOSED_SURFACE)
        return part.GetRepresentation(CLOSED_SURFACE) or vtk.vtkPolyData()

    def _show(self) -> None:
        """Give the segments what is ready, unless they were drawn on meanwhile."""
        ready, self._waiting = self._waiting, {}
        self._shown_at = time.monotonic()
        if not ready or not self._is_there():
            return
        segmentation = self._node.GetSegmentation()
        with told_once(self._node):
            for segment_id, (stamp, surface) in ready.items():
                segment = segmentation.GetSegment(segment_id)
                if segment is not None and _stamp(segment) == stamp:
                    segment.AddRepresentation(CLOSED_SURFACE, surface)
            _show_in_views(self._node)


def use_surface_nets(segmentation) -> None:
    """Choose the fast conversion for a vtkSegmentation, also for what Slicer converts anew after an edit; nothing where
    this Slicer has none.

    Joint smoothing must be off: with surface nets it gives surfaces without polygons, as it picks the polygons by
    labels of points, which vtkSurfaceNets3D does not make (vtkBinaryLabelmapToClosedSurfaceConversionRule::Convert,
    Slicer 5.13 with VTK 9.6).
    """
    rule = slicer.vtkBinaryLabelmapToClosedSurfaceConversionRule
    names = ("GetConversionMethodParameterName", "GetSurfaceNetInternalSmoothingParameterName")
    if all(hasattr(rule, name) for name in names):
        method, smoothing = (getattr(rule, name)() for name in names)
        segmentation.SetConversionParameter(method, "1")  # CONVERSION_METHOD_SURFACE_NETS
        segmentation.SetConversionParameter(smoothing, "1")
        segmentation.SetConversionParameter(rule.GetJointSmoothingParameterName(), "0")


def _show_in_views(node) -> None:
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetPreferredDisplayRepresentationName3D(CLOSED_SURFACE)
    display.SetVisibility3D(True)


def _array(image) -> np.ndarray:
    scalars = image.GetPointData().GetScalars()
    if scalars is None or image.GetNumberOfPoints() == 0:
        return np.zeros((0, 0, 0), np.uint8)
    return vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(tuple(reversed(image.GetDimensions())))


def _cut_out(image, label: int, box: Box) -> SegmentVoxels:
    """The label alone with one voxel around it, so that the surface closes."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    first = tuple(reversed(image.GetExtent()[::2]))
    start = tuple(int(low + part.start - 1) for low, part in zip(first, box, strict=True))
    return SegmentVoxels(np.pad(_array(image)[box] == label, 1), start, slicer.util.arrayFromVTKMatrix(matrix))


def _image_stamp(image) -> Hashable:
    scalars = image.GetPointData().GetScalars()
    return (image, image.GetMTime(), scalars.GetMTime() if scalars is not None else 0)


def _stamp(segment) -> Hashable:
    """Differs after every change of the segment's voxels."""
    image = segment.GetRepresentation(BINARY_LABELMAP)
    return (segment.GetLabelValue(), None if image is None else _image_stamp(image))
