"""Keeps the removal of our segmentations fast.

All structures of a result share one label image. Before vtkSegmentation removes a segment it copies that segment out of
the shared image, so that removing a result (deleting the node, closing the scene, quitting) would copy every segment
in turn: 18 s for 104 segments at 512 x 512 x 400. Here the images are let go first, which takes milliseconds.

Slicer itself empties a segmentation that is removed from the scene (its subject hierarchy items go, and each takes its
segment along), so nothing is lost that would have stayed.
"""

from __future__ import annotations

import slicer
import vtk

from TotalSegmentatorModuleLib.scene.computed_structures import forget_computed
from TotalSegmentatorModuleLib.scene.editor_settings import restore_settings
from TotalSegmentatorModuleLib.scene.isolation import restore_displays
from TotalSegmentatorModuleLib.scene.segment_notices import lacks_items, tell_of_all
from TotalSegmentatorModuleLib.tags.result_mark import is_result

_BEFORE_SLICER, _AFTER_SLICER = 10.0, -10.0
"""Priorities of observers: Slicer's own have 0; they remove the segments one by one, and make items of the subject
hierarchy."""


def release_contents(node) -> None:
    """Let ``node``, which leaves the scene, go without its segments: it keeps an empty vtkSegmentation.

    Nobody hears of it segment by segment. A scene that is being closed loses its subject hierarchy early, and Slicer's
    plugin reports an error for every segment that changes afterwards (qSlicerSubjectHierarchySegmentationsPlugin,
    onSegmentModified).
    """
    segmentation = node.GetSegmentation()
    node.SetAndObserveSegmentation(slicer.vtkSegmentation())
    release_images(segmentation)


def release_images(segmentation) -> None:
    """Take voxels and surfaces from the segments of a vtkSegmentation; the segments themselves stay."""
    for index in range(segmentation.GetNumberOfSegments()):
        segmentation.GetNthSegment(index).RemoveAllRepresentations("")


class SegmentationLifetime:
    """Watches a scene for our segmentations, how they come from a file and how they go, and the application for its
    end."""

    def __init__(self) -> None:
        self._scene = None
        self._tags: list[int] = []

    def start(self, scene) -> None:
        """Watch ``scene`` (vtkMRMLScene) and no other. Calling it again changes nothing."""
        if self._scene is not scene:
            self.stop()
            self._scene = scene
            self._tags = [
                scene.AddObserver(scene.StartCloseEvent, self._on_start_close, _BEFORE_SLICER),
                scene.AddObserver(scene.NodeAboutToBeRemovedEvent, self._on_about_to_be_removed, _BEFORE_SLICER),
                scene.AddObserver(scene.EndImportEvent, self._on_imported),
                scene.AddObserver(scene.EndImportEvent, self._on_read, _AFTER_SLICER),
                scene.AddObserver(scene.EndBatchProcessEvent, self._on_read, _AFTER_SLICER),
            ]
            slicer.app.connect("aboutToQuit()", self.keep_until_exit)

    def stop(self) -> None:
        if self._scene is not None:
            for tag in self._tags:
                self._scene.RemoveObserver(tag)
            slicer.app.disconnect("aboutToQuit()", self.keep_until_exit)
            self._scene = None

    def keep_until_exit(self) -> None:
        """Keep the contents of our segmentations from being taken apart when the process ends.

        Slicer destroys its scene after Python has gone, when nobody can release the images any more. One reference
        too many leaves them to the operating system instead; until then everything can still be saved.
        """
        for node in (*slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), *_frames_of_sequences()):
            if is_result(node):
                node.GetSegmentation().Register(None)

    def _on_imported(self, _scene, _event) -> None:
        """A scene may have been saved in the middle of a review, with one structure alone on the screen."""
        restore_displays()
        restore_settings()

    def _on_start_close(self, _scene, _event) -> None:
        """What shows a frame would hear of each segment of its sequence, which goes after the subject hierarchy."""
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            if is_result(node) and _shows_frame(node):
                _let_frame_go(node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def _on_about_to_be_removed(self, _scene, _event, node) -> None:
        if node.IsA("vtkMRMLSequenceNode"):
            for frame in _frames_of(node):
                release_images(frame.GetSegmentation())
        elif is_result(node) and _shows_frame(node):
            _let_frame_go(node)
        elif is_result(node):
            release_contents(node)
            if not self._scene.IsClosing():
                forget_computed(node)

    def _on_read(self, scene, _event) -> None:
        """A scene may have been saved before all items were made. Reading is over with the last of the two events."""
        if scene.IsImporting() or scene.IsBatchProcessing():
            return
        for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
            if is_result(node) and lacks_items(node):
                tell_of_all(node)


def _frames_of(sequence) -> list:
    """The results of this module in a vtkMRMLSequenceNode."""
    frames = [sequence.GetNthDataNode(index) for index in range(sequence.GetNumberOfDataNodes())]
    return [frame for frame in frames if is_result(frame)]


def _frames_of_sequences() -> list:
    if not hasattr(slicer, "vtkMRMLSequenceNode"):
        return []
    return [frame for sequence in slicer.util.getNodesByClass("vtkMRMLSequenceNode") for frame in _frames_of(sequence)]


def _let_frame_go(node) -> None:
    """The sequence has the same segments, and keeps them. Its browser must not hear that ``node`` has lost them: it
    would carry the change over."""
    node.StartModify()  # and no EndModify
    node.SetAndObserveSegmentation(slicer.vtkSegmentation())


def _shows_frame(node) -> bool:
    """Whether ``node`` (vtkMRMLSegmentationNode) shows the selected frame of a sequence, from which it has its
    segments."""
    if not hasattr(slicer, "vtkMRMLSequenceBrowserNode"):
        return False
    browsers = slicer.util.getNodesByClass("vtkMRMLSequenceBrowserNode")
    return any(browser.IsProxyNodeID(node.GetID()) for browser in browsers)


_lifetime = SegmentationLifetime()


def application_lifetime() -> SegmentationLifetime:
    """The object that watches the application's scene. It outlives the module's widget, as results do."""
    return _lifetime
