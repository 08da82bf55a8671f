"""A stand-in for the module of the extension SlicerNNInteractive, as far as another module meets it: an editor of
Slicer in its own panel tells it the segment, tools are off until a model is loaded, and what the model finds is written
into the segment's image in place, over whatever other segment lies there."""

from __future__ import annotations

import types

import numpy as np
import qt
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleWidget


class SlicerNNInteractive(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "nnInteractive"


class SlicerNNInteractiveWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        self._editor = slicer.qMRMLSegmentEditorWidget()
        self.ui = types.SimpleNamespace(editor_widget=self._editor, pbInteractionPoint=qt.QPushButton("Point (P)"))
        self.ui.pbInteractionPoint.setCheckable(True)
        self.ui.pbInteractionPoint.setEnabled(False)
        self.layout.addWidget(self.ui.pbInteractionPoint)
        self.layout.addWidget(self._editor)
        self._editor.setMRMLScene(slicer.mrmlScene)
        self._editor.mrmlSegmentEditorNode()

    def cleanup(self):
        self._editor.setMRMLSegmentEditorNode(None)

    def initialize(self):
        """The user clicks Initialize, and the model is loaded."""
        self.ui.pbInteractionPoint.setEnabled(True)

    def add_result(self, inside: np.ndarray):
        """The model has found ``inside``: bool (k, j, i) on the grid of the source volume."""
        editor = self.ui.editor_widget
        node, segment_id = editor.segmentationNode(), editor.currentSegmentID()
        volume = editor.sourceVolumeNode()
        segment = node.GetSegmentation().GetSegment(segment_id)
        image = node.GetBinaryLabelmapInternalRepresentation(segment_id)
        i0, i1, j0, j1, k0, k1 = image.GetExtent()
        places = np.argwhere(inside)
        first, last = places.min(axis=0), places.max(axis=0)
        if (first < (k0, j0, i0)).any() or (last > (k1, j1, i1)).any():
            own = slicer.util.arrayFromSegmentBinaryLabelmap(node, segment_id, volume).astype(bool)
            whole = (own | inside).astype(np.uint8)
            slicer.util.updateSegmentBinaryLabelmapFromArray(whole, node, segment_id, volume)
            return
        voxels = slicer.util.arrayFromSegmentInternalBinaryLabelmap(node, segment_id)
        voxels[inside[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1]] = segment.GetLabelValue()
        image.Modified()
        segment.Modified()
