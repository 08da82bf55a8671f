"""All segments as closed surfaces in Slicer's 3-D view, seen from the front."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from scipy import ndimage
from vtk.util import numpy_support

from desktop.pictures.offscreen_view import OffscreenView, voxels, write_png

_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)
_LABELMAP = "Binary labelmap"
_SURFACE = "Closed surface"
_MARGIN = 1.06


def write_surfaces(world: Any, path: Path, segmentation: Any, height: int = 900) -> Path:
    """A picture from the front; the segmentation itself stays as it is (the surfaces are in a copy)."""
    copy = _surface_copy(world, segmentation)
    hidden = _hide_others(copy)
    try:
        bounds = np.zeros(6)
        copy.GetRASBounds(bounds)
        return write_png(path, _draw(world, bounds, height))
    finally:
        world.scene.RemoveNode(copy)
        for display in hidden:
            display.SetVisibility(True)


def _surface_copy(world: Any, segmentation: Any) -> Any:
    """A segmentation node with nothing but surfaces, made one segment at a time from its own box of voxels."""
    source = segmentation.GetSegmentation()
    copy = world.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces for a picture")
    copy.CreateDefaultDisplayNodes()
    target = copy.GetSegmentation()
    target.SetSourceRepresentationName(_SURFACE)
    boxes: dict[str, list[Any]] = {}
    for segment_id in source.GetSegmentIDs():
        original = source.GetSegment(segment_id)
        image = original.GetRepresentation(_LABELMAP)
        key = image.GetAddressAsString("")
        if key not in boxes:
            boxes[key] = ndimage.find_objects(voxels(image))
        label = original.GetLabelValue()
        box = boxes[key][label - 1] if label <= len(boxes[key]) else None
        surface = _surface(world, _cut_out(image, label, box)) if box is not None else None
        if surface is None:
            continue
        segment = slicer.vtkSegment()
        segment.SetName(original.GetName())
        segment.SetColor(*original.GetColor())
        segment.AddRepresentation(_SURFACE, surface)
        target.AddSegment(segment, segment_id)
    copy.SetAndObserveTransformNodeID(segmentation.GetTransformNodeID())
    return copy


def _cut_out(image: Any, label: int, box: tuple[slice, ...]) -> Any:
    """The label alone as a binary image of its box and one voxel around: a whole-body image is scanned only once."""
    part = np.pad((voxels(image)[box] == label).astype(np.uint8), 1)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    extent = image.GetExtent()
    cut = slicer.vtkOrientedImageData()
    cut.SetGeometryFromImageToWorldMatrix(matrix)
    first = [extent[2 * axis] + box[2 - axis].start - 1 for axis in range(3)]
    last = [start + size - 1 for start, size in zip(first, part.shape[::-1], strict=True)]
    cut.SetExtent(first[0], last[0], first[1], last[1], first[2], last[2])
    array = numpy_support.numpy_to_vtk(part.ravel(), deep=True, array_type=vtk.VTK_UNSIGNED_CHAR)
    array.SetName("ImageScalars")
    cut.GetPointData().SetScalars(array)
    return cut


def _surface(world: Any, image: Any) -> Any:
    alone = slicer.vtkSegmentation()
    alone.SetSourceRepresentationName(_LABELMAP)
    alone.SetConversionParameter("Conversion method", "1")  # surface nets
    alone.SetConversionParameter("SurfaceNets smoothing", "1")
    segment = slicer.vtkSegment()
    segment.AddRepresentation(_LABELMAP, image)
    alone.AddSegment(segment, "one")
    surface = world.logics["Segmentations"].CreateRepresentationForOneSegment(alone, "one", _SURFACE)
    if surface is not None:
        surface.UnRegister(None)  # the logic gave its reference away
    return surface


def _hide_others(shown: Any) -> list[Any]:
    hidden = []
    for node in slicer.util.getNodesByClass("vtkMRMLDisplayableNode"):
        display = node.GetDisplayNode()
        if node is not shown and display is not None and display.GetVisibility():
            display.SetVisibility(False)
            hidden.append(display)
    return hidden


def _draw(world: Any, bounds: np.ndarray, height: int) -> np.ndarray:
    size = bounds[1::2] - bounds[0::2]
    width = int(np.clip(height * (size[0] / max(size[2], 1.0)) * 1.05, height * 0.55, height * 1.3))
    factory = slicer.vtkMRMLThreeDViewDisplayableManagerFactory.GetInstance()
    view = OffscreenView(factory, _MANAGERS, (width, height))
    logic = slicer.vtkMRMLViewLogic()
    logic.SetMRMLApplicationLogic(world.application_logic)
    world.application_logic.GetViewLogics().AddItem(logic)
    logic.SetMRMLScene(world.scene)
    node = logic.AddViewNode("Picture")
    try:
        node.SetBoxVisible(False)
        node.SetAxisLabelsVisible(False)
        view.show_node(node)
        view.renderer.SetBackground(0.756, 0.765, 0.910)  # Slicer's default view colours
        view.renderer.SetBackground2(0.455, 0.471, 0.745)
        view.renderer.GradientBackgroundOn()
        _look_from_the_front(view.renderer, bounds, width / height)
        for letter, place in (("R", (0.03, 0.5)), ("L", (0.97, 0.5)), ("S", (0.5, 0.975)), ("I", (0.5, 0.025))):
            view.add_text(letter, place, 22)
        return view.image()
    finally:
        view.close()
        world.application_logic.GetViewLogics().RemoveItem(logic)
        logic.SetMRMLScene(None)


def _look_from_the_front(renderer: Any, bounds: np.ndarray, aspect: float) -> None:
    """Camera in front of the patient (anterior), superior up; the body fills the picture."""
    middle = (bounds[0::2] + bounds[1::2]) / 2
    size = bounds[1::2] - bounds[0::2]
    camera: vtk.vtkCamera = renderer.GetActiveCamera()
    half_height = max(size[2], size[0] / aspect) / 2 * _MARGIN
    angle = 20.0
    distance = half_height / np.tan(np.radians(angle / 2)) + size[1] / 2
    camera.SetViewAngle(angle)
    camera.SetFocalPoint(*middle)
    camera.SetPosition(middle[0], middle[1] + distance, middle[2])
    camera.SetViewUp(0.0, 0.0, 1.0)
    renderer.ResetCameraClippingRange(*bounds)
