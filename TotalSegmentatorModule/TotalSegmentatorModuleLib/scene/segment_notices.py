"""Lists the segments that a segmentation got as a whole in Slicer's trees, a few at a time, and tells Slicer of them.

Slicer makes an item in the subject hierarchy for every segment (qSlicerSubjectHierarchySegmentationsPlugin,
onSegmentAdded), and looks through all segments with each event of the node; an event for each segment would also have
all views draw again. So the items are made here as the plugin makes them, and one event at the end tells everybody.
Nothing depends on the items but the trees, and any change of the display makes all that are still missing. A scene that
is saved before has only some in its file.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

import slicer
import vtk

from TotalSegmentatorModuleLib.scene.volumes import hierarchy_item

WORK_SECONDS = 0.012
"""Of a step. Shorter ones take longer in all: after each of them the trees are laid out again."""
_REST_MS = 20
"""Between two steps, so that Slicer can draw and take a click."""
_LEVEL = slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyVirtualBranchAttributeName()
_SEGMENT_ID = slicer.vtkMRMLSegmentationNode.GetSegmentIDAttributeName()
_OWNER = "Segments"
"""The plugin that draws and edits the items of segments (qSlicerSubjectHierarchySegmentsPlugin)."""


def segment_names(node) -> dict[str, str]:
    """The segments of a vtkMRMLSegmentationNode, in their order: names by ids."""
    segmentation = node.GetSegmentation()
    ids = [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]
    return {each: segmentation.GetSegment(each).GetName() for each in ids}


def tell_of_all(node) -> None:
    """Have Slicer look through all segments of ``node`` (vtkMRMLSegmentationNode) at once."""
    node.InvokeCustomModifiedEvent(slicer.vtkSegmentation.SegmentAdded)


def lacks_items(node) -> bool:
    """Whether Slicer's trees do not show all segments of ``node`` (vtkMRMLSegmentationNode)."""
    hierarchy, parent = hierarchy_item(node)
    return bool(parent) and not _items(hierarchy, parent).keys() >= segment_names(node).keys()


def _items(hierarchy, parent: int) -> dict[str, int]:
    """The items below that of a segmentation, by the ids of their segments."""
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent, children)
    items = [children.GetId(index) for index in range(children.GetNumberOfIds())]
    return {hierarchy.GetItemAttribute(item, _SEGMENT_ID): item for item in items}


def _make_item(hierarchy, parent: int, segmentation, segment_id: str) -> None:
    name = segmentation.GetSegment(segment_id).GetName() or ""
    item = hierarchy.CreateHierarchyItem(parent, name, _LEVEL, segmentation.GetSegmentIndex(segment_id))
    hierarchy.SetItemAttribute(item, _SEGMENT_ID, segment_id)
    hierarchy.SetItemOwnerPluginName(item, _OWNER)


class SegmentNotices:
    """The segments that Slicer has still to list. ``step`` lists some, ``finish`` the rest at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._node = None
        self._scene = None
        self._lost: deque[str] = deque()
        self._added: deque[str] = deque()

    @property
    def is_busy(self) -> bool:
        return self._node is not None

    def add(self, node, former: Mapping[str, str]) -> None:
        """``node`` (vtkMRMLSegmentationNode) has got its segments in place of the ``former`` ones (names by ids).

        A segment that has another name than the former one of the same id is told of at once: Slicer would rename it
        after its item.
        """
        self.finish()
        names = segment_names(node)
        for segment_id in [each for each, name in former.items() if names.get(each, name) != name]:
            node.InvokeEvent(slicer.vtkSegmentation.SegmentModified, segment_id)
        self._node = node
        self._lost.extend(each for each in former if each not in names)
        self._added.extend(names)
        self._scene = node.GetScene()

    def step(self) -> int | None:
        """List some segments; returns for how many milliseconds the next step can wait, None when all are listed."""
        if not self.is_busy:
            return None
        if self._node.GetScene() is not self._scene:  # it was removed
            self._forget()
            return None
        if self._scene.IsImporting() or self._scene.IsBatchProcessing():  # there are no items yet, and nobody listens
            return _REST_MS
        hierarchy, parent = hierarchy_item(self._node)
        items = _items(hierarchy, parent) if parent else {}
        deadline = self._clock() + WORK_SECONDS
        while parent and (self._lost or self._added):
            self._list_one(hierarchy, parent, items)
            if self._clock() >= deadline:
                return _REST_MS
        tell_of_all(self._node)
        self._forget()
        return None

    def finish(self) -> None:
        """List all that are left, at once."""
        node = self._node
        if node is not None and node.GetScene() is self._scene:
            tell_of_all(node)
        self._forget()

    def _list_one(self, hierarchy, parent: int, items: dict[str, int]) -> None:
        segmentation = self._node.GetSegmentation()
        if self._lost:
            segment_id = self._lost.popleft()
            if segment_id in items and segmentation.GetSegment(segment_id) is None:  # nobody has made it anew meanwhile
                hierarchy.RemoveItem(items[segment_id])
        else:
            segment_id = self._added.popleft()
            if segment_id not in items and segmentation.GetSegment(segment_id) is not None:  # nor removed it
                _make_item(hierarchy, parent, segmentation, segment_id)

    def _forget(self) -> None:
        self._node = self._scene = None
        self._lost.clear()
        self._added.clear()
