"""A CT and a segmentation in the stand-in desktop, and what an export reads of them."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from export_user import SHAPE, blocks, result_of
from TotalSegmentatorEngine.export.grid.placement import place
from TotalSegmentatorEngine.export.sources.slicer_transfer import (
    read_transferred_segmentation,
    transferred_ct_geometry,
)

GRID = np.array([[-0.8, 0, 0, 100.0], [0, -0.8, 0, 120.0], [0, 0, 2.5, -300.0], [0, 0, 0, 1]])
"""Fine enough for surfaces of some millimetres."""


class Scene:
    """A CT, a segmentation on it, and what an export reads of them."""

    def __init__(self, app, folder) -> None:
        self.app, self.folder = app, folder
        self.ct = self.add_ct(GRID)
        self.node = self.add_segmentation()

    def add_ct(self, matrix, shape=SHAPE):
        array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
        return self.app.add_volume(array, matrix, "CT")

    def add_segmentation(self):
        from TotalSegmentatorModuleLib.scene.segmentation_import import ImportTarget, import_result

        return import_result(*result_of(blocks(), self.ct), ImportTarget(self.ct))

    def transfer(self, segment_ids=None, identity=None, **arguments):
        from TotalSegmentatorModuleLib.scene.segments import all_segments
        from TotalSegmentatorModuleLib.tasks.segmentation_transfer import CtIdentity, SegmentationTransfer

        ids = tuple(segment_ids or all_segments(self.node))
        return SegmentationTransfer(self.node, ids, self.ct, identity or CtIdentity(), self.folder, **arguments)

    def hand_over(self, segment_ids=None, identity=None):
        """Segmentation and header as the export reads them."""
        transfer = self.transfer(segment_ids, identity)
        while not transfer.step(0.01):
            assert 0.0 <= transfer.fraction <= 1.0
        assert transfer.fraction == 1.0
        transfer.close()
        return read_transferred_segmentation(self.folder)

    def placed(self, segment_ids=None):
        """Segment ids to voxels (k, j, i; bool) on the CT's grid, as the export places them."""
        segmentation, header = self.hand_over(segment_ids)
        placed = place(segmentation, transferred_ct_geometry(header))
        return {segment.id: placed.mask(segment).whole() for segment in placed.segments}

    def in_slicer(self, segment_id):
        """The segment's voxels on the CT's grid, as Slicer gives them."""
        return slicer.util.arrayFromSegmentBinaryLabelmap(self.node, segment_id, self.ct) != 0

    def under(self, node, class_name="vtkMRMLLinearTransformNode", matrix=None):
        transform = slicer.mrmlScene.AddNewNodeByClass(class_name)
        if matrix is not None:
            transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(np.asarray(matrix)))
        node.SetAndObserveTransformNodeID(transform.GetID())
        return transform


def first_two(node):
    return [node.GetSegmentation().GetNthSegmentID(index) for index in (0, 1)]


def add_balls(scene):
    """A segmentation of two surfaces, as of a structure set that Slicer's RT extension has loaded."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "planned")
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    centre = (GRID @ [10, 8, 6, 1])[:3]
    for radius, name in ((4.0, "tumour"), (6.0, "margin")):
        ball = vtk.vtkSphereSource()
        ball.SetCenter(*centre)
        ball.SetRadius(radius)
        ball.SetThetaResolution(32)
        ball.SetPhiResolution(32)
        ball.Update()
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.SetLabelValue(int(radius))  # left from an image that is gone
        segment.AddRepresentation("Closed surface", ball.GetOutput())
        node.GetSegmentation().AddSegment(segment, name)
    scene.node = node
    return node
