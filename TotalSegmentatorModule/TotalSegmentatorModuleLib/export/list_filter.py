"""The filter bar above the list of structures to select."""

from __future__ import annotations

import slicer


class ListFilter:
    """Slicer's list shows its filter bar as the segmentation says, for all lists of it, that of the Segment Editor too
    (qMRMLSegmentsTableView::updateWidgetFromMRML). It is on while structures are selected here, and then as it was."""

    def __init__(self) -> None:
        self._node = None
        self._before: tuple[bool, str] = (False, "")

    def show(self, node) -> None:
        """For this vtkMRMLSegmentationNode and no other; None for none."""
        if node is self._node:
            return
        self._give_back()
        self._node = node
        if node is not None:
            self._before = (bool(node.GetSegmentListFilterEnabled()), node.GetSegmentListFilterOptions() or "")
            node.SetSegmentListFilterEnabled(True)

    def _give_back(self) -> None:
        if self._node is not None and slicer.mrmlScene.IsNodePresent(self._node):
            is_on, options = self._before
            self._node.SetSegmentListFilterEnabled(is_on)
            self._node.SetSegmentListFilterOptions(options)
