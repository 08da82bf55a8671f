"""What the slice views show, kept while something is loaded that would take their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import slicer
import vtk


@contextmanager
def kept_views() -> Iterator[None]:
    """Slicer shows what it loads from DICOM at once. A user who works on something keeps it: volumes, slices and zoom
    of all slice views are afterwards as they were, unless they showed nothing."""
    scene = slicer.mrmlScene
    shown = [_Layers(each) for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", scene)]
    selection = slicer.app.applicationLogic().GetSelectionNode()
    active = selection.GetActiveVolumeID()
    slices = [_Slice(each) for each in slicer.util.getNodesByClass("vtkMRMLSliceNode", scene)]
    is_anything_shown = any(each.is_used for each in shown)
    try:
        yield
    finally:
        if is_anything_shown:
            selection.SetActiveVolumeID(active)
            for each in (*shown, *slices):
                each.restore()


class _Layers:
    """The volumes of a vtkMRMLSliceCompositeNode."""

    def __init__(self, node) -> None:
        self._node = node
        self._background = node.GetBackgroundVolumeID()
        self._foreground = node.GetForegroundVolumeID()
        self._label = node.GetLabelVolumeID()

    @property
    def is_used(self) -> bool:
        return bool(self._background)

    def shows(self, volume_id: str) -> bool:
        return volume_id in (self._background, self._foreground)

    def restore(self) -> None:
        self._node.SetBackgroundVolumeID(self._background)
        self._node.SetForegroundVolumeID(self._foreground)
        self._node.SetLabelVolumeID(self._label)


class _Slice:
    """Place and zoom of a vtkMRMLSliceNode."""

    def __init__(self, node) -> None:
        self._node = node
        self._matrix = vtk.vtkMatrix4x4()
        self._matrix.DeepCopy(node.GetSliceToRAS())
        self._field_of_view = node.GetFieldOfView()
        self._origin = node.GetXYZOrigin()

    def restore(self) -> None:
        self._node.GetSliceToRAS().DeepCopy(self._matrix)
        self._node.SetFieldOfView(*self._field_of_view)
        self._node.SetXYZOrigin(*self._origin)
        self._node.UpdateMatrices()


def is_shown(volume) -> bool:
    """Whether some slice view shows ``volume`` (vtkMRMLScalarVolumeNode), or none shows anything."""
    layers = [_Layers(each) for each in slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")]
    return not any(each.is_used for each in layers) or any(each.shows(volume.GetID()) for each in layers)


def show_volume(volume) -> None:
    """In all slice views."""
    slicer.util.setSliceViewerLayers(background=volume, fit=True)
