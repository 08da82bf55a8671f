"""The result of one frame goes into a sequence of segmentations, which is browsed together with the CT's sequence."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import slicer
from slicer.i18n import tr as _
from TotalSegmentatorWire.messages.segment import ResultHeader

from TotalSegmentatorModuleLib.job_queue.sequences import browser_of
from TotalSegmentatorModuleLib.scene.notice import told_once
from TotalSegmentatorModuleLib.scene.segmentation_import import LabelImage, review_of
from TotalSegmentatorModuleLib.scene.segmentation_lifetime import release_images
from TotalSegmentatorModuleLib.segment.result_import import prepared_in_steps
from TotalSegmentatorModuleLib.tags.result_mark import mark_result


class FrameArrival:
    """Takes the result of frame ``frame`` of the vtkMRMLSequenceNode ``sequence_id`` (session.Arrival).

    ``target_id`` names the sequence of segmentations, where there is one already; ``on_target`` gets the id of the one
    that has taken the result.
    """

    def __init__(self, sequence_id: str, frame: int, volume, target_id: str, on_target: Callable[[str], None]) -> None:
        self._sequence_id = sequence_id
        self._frame = frame
        self._volume_id = volume.GetID()
        self._target_id = target_id
        self._on_target = on_target

    def task(self, header: ResultHeader, images: Sequence[LabelImage], _computed: str) -> Generator[int, None, Any]:
        """Returns the proxy (vtkMRMLSegmentationNode) through which the sequence of segmentations is shown."""
        segmentation = yield from prepared_in_steps(header, images)
        scene = slicer.mrmlScene
        sequence, volume = scene.GetNodeByID(self._sequence_id), scene.GetNodeByID(self._volume_id)
        if sequence is None or volume is None:
            release_images(segmentation)
            return None
        target = scene.GetNodeByID(self._target_id) if self._target_id else None
        target = target or _new_target(sequence)
        value = sequence.GetNthIndexValue(self._frame)
        _store(target, value, segmentation, header, volume)
        self._on_target(target.GetID())
        return _shown(sequence, target)

    def arrived(self) -> None:
        """The queue goes on by itself."""


def _new_target(sequence):
    """An empty sequence with the same index as the CT's."""
    name = _("{sequence} segmentation").format(sequence=sequence.GetName())
    target = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceNode", slicer.mrmlScene.GenerateUniqueName(name))
    target.SetIndexName(sequence.GetIndexName())
    target.SetIndexUnit(sequence.GetIndexUnit())
    target.SetIndexType(sequence.GetIndexType())
    return target


def _store(target, value: str, segmentation, header: ResultHeader, volume) -> None:
    """Put a prepared vtkSegmentation into ``target`` at the index ``value``; what is there is replaced."""
    empty = slicer.vtkMRMLSegmentationNode()
    empty.SetName(target.GetName())
    stored = target.SetDataNodeAtValue(empty, value)  # copies, which costs nothing while it is empty
    with told_once(stored):
        by_id = {each: segmentation.GetSegment(each) for each in _ids(segmentation)}
        review_of(header)(stored, by_id)
        stored.SetAndObserveSegmentation(segmentation)
        stored.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        mark_result(stored)
    target.StorableModified()


def _ids(segmentation) -> list[str]:
    return [segmentation.GetNthSegmentID(index) for index in range(segmentation.GetNumberOfSegments())]


def _shown(sequence, target):
    """The proxy of ``target``, synchronised with the CT's sequence; made where it is missing.

    Changes that the user makes in a frame are kept in the sequence (SaveChanges); a frame without a result is empty.
    """
    browser = browser_of(sequence) or _new_browser(sequence)
    if not browser.IsSynchronizedSequenceNodeID(target.GetID(), True):
        was_modifying = browser.StartModify()
        browser.AddSynchronizedSequenceNodeID(target.GetID())
        browser.SetMissingItemMode(target, browser.MissingItemSetToDefault)
        browser.SetSaveChanges(target, True)
        browser.EndModify(was_modifying)
    slicer.modules.sequences.logic().UpdateProxyNodesFromSequences(browser)
    proxy = browser.GetProxyNode(target)
    ct = browser.GetProxyNode(sequence)
    if proxy is not None and ct is not None:
        role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
        proxy.SetNodeReferenceID(role, ct.GetID())
        proxy.SetAndObserveTransformNodeID(ct.GetTransformNodeID())
    return proxy


def _new_browser(sequence):
    browser = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode", sequence.GetName())
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    return browser
