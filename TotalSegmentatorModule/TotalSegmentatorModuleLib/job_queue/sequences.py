"""Sequences of volumes (4-D CT) in the scene: which there are, and one frame as a CT for a job.

A sequence keeps its frames in a scene of its own; a sequence browser copies the frame that is selected into a proxy
node of the main scene. A Slicer without the Sequences module has none of the classes.
"""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

FRAME_ATTRIBUTE = "TotalSegmentatorModule.Frame"
"""Of a hidden volume that a job reads; it is not saved."""


def volume_sequences() -> list:
    """The vtkMRMLSequenceNodes that hold scalar volumes with voxels."""
    if not hasattr(slicer, "vtkMRMLSequenceNode"):
        return []
    return [node for node in slicer.util.getNodesByClass("vtkMRMLSequenceNode") if _holds_volumes(node)]


def browsers() -> list:
    """The vtkMRMLSequenceBrowserNodes of the scene."""
    if not hasattr(slicer, "vtkMRMLSequenceBrowserNode"):
        return []
    return slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")


def browser_of(sequence):
    """The browser through which a vtkMRMLSequenceNode is shown; None where it has none."""
    return next((each for each in browsers() if each.IsSynchronizedSequenceNodeID(sequence.GetID(), True)), None)


def proxy_ids() -> set[str]:
    """Ids of the nodes that show the selected frame of some sequence."""
    found = set()
    for browser in browsers():
        proxies = vtk.vtkCollection()
        browser.GetAllProxyNodes(proxies)
        found |= {proxies.GetItemAsObject(index).GetID() for index in range(proxies.GetNumberOfItems())}
    return found


def add_frame_volume(sequence, frame: int):
    """A hidden volume in the scene with the voxels of one frame, not copied; remove it after the job."""
    stored = sequence.GetNthDataNode(frame)
    volume = slicer.vtkMRMLScalarVolumeNode()
    volume.SetHideFromEditors(True)
    volume.SetSaveWithScene(False)
    volume.SetAttribute(FRAME_ATTRIBUTE, "1")
    volume.SetName(frame_name(sequence.GetName(), frame, sequence.GetNumberOfDataNodes()))
    matrix = vtk.vtkMatrix4x4()
    stored.GetIJKToRASMatrix(matrix)
    volume.SetIJKToRASMatrix(matrix)
    volume.SetAndObserveImageData(stored.GetImageData())
    browser = browser_of(sequence)
    proxy = browser.GetProxyNode(sequence) if browser is not None else None
    if proxy is not None:
        volume.SetAndObserveTransformNodeID(proxy.GetTransformNodeID())
    return slicer.mrmlScene.AddNode(volume)


def frame_name(name: str, frame: int, frames: int) -> str:
    return _("{sequence}, frame {number} of {count}").format(sequence=name, number=frame + 1, count=frames)


def _holds_volumes(sequence) -> bool:
    if not sequence.GetNumberOfDataNodes():
        return False
    first = sequence.GetNthDataNode(0)
    return first is not None and first.GetClassName() == "vtkMRMLScalarVolumeNode" and first.GetImageData() is not None
