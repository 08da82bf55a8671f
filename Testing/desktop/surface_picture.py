"""All segments as closed surfaces in Slicer's 3-D view, seen from the front."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from .offscreen_view import OffscreenView, write_png

_MANAGERS = (
    "vtkMRMLCameraDisplayableManager",
    "vtkMRMLModelDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager3D",
)
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
    source = segmentation.GetSegmentation()
    logic = world.logics["Segmentations"]
    kept = {key: source.GetConversionParameter(key) for key in ("Conversion method", "SurfaceNets smoothing")}
    source.SetConversionParameter("Conversion method", "1")  # surface nets: no gaps between neighbours, and fast
    source.SetConversionParameter("SurfaceNets smoothing", "1")
    copy = world.scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "surfaces for a picture")
    copy.CreateDefaultDisplayNodes()
    target = copy.GetSegmentation()
    target.SetSourceRepresentationName(_SURFACE)
    try:
        for segment_id in source.GetSegmentIDs():
            surface = logic.CreateRepresentationForOneSegment(source, segment_id, _SURFACE)
            if surface is None:
                continue
            original = source.GetSegment(segment_id)
            segment = slicer.vtkSegment()
            segment.SetName(original.GetName())
            segment.SetColor(*original.GetColor())
            segment.AddRepresentation(_SURFACE, surface)
            surface.UnRegister(None)  # the logic gave its reference away
            target.AddSegment(segment, segment_id)
    finally:
        for key, value in kept.items():
            source.SetConversionParameter(key, value)
    copy.SetAndObserveTransformNodeID(segmentation.GetTransformNodeID())
    return copy


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
    node = logic.AddViewNode("1")
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
