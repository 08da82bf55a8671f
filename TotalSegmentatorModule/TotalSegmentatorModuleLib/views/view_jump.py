"""Turns Slicer's views to a place."""

from __future__ import annotations

import math

import numpy as np
import slicer

_MARGIN = 1.6
"""How much of the surroundings the 3-D view shows: this many radii of the structure fill its height."""
_LEAST_RADIUS_MM = 25.0
"""Of what the 3-D view shows: a gallbladder that fills it would be lost without what is around."""


_OFF_CENTRE = 0.25
"""How far from the middle of a slice view a place may come to lie, as a part of the view or of the scan in it,
whichever is smaller. In the very middle, a place at the border of the scan would leave half of the view empty."""


def jump_slices(place: tuple[float, float, float]) -> None:
    """Turn all slice views to ``place``, R, A, S in mm of the world: it lies in the middle of a view, or near it where
    the volume in the view ends close by."""
    logic = slicer.app.applicationLogic()
    for node in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        node.JumpSliceByCentering(*_view_centre(node, logic.GetSliceLogic(node), np.array(place)))


def _view_centre(node, logic, place: np.ndarray) -> np.ndarray:
    """What a vtkMRMLSliceNode should have in its middle; RAS in mm. ``logic``: of its view, None where it has none."""
    bounds = [0.0] * 6
    if logic is not None:
        logic.GetBackgroundSliceBounds(bounds)  # in mm along the axes of the slice, from RAS 0, 0, 0
    axes = slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS())[:3, :3]
    along = axes.T @ place
    for axis, view in enumerate(node.GetFieldOfView()[:2]):
        low, high = bounds[2 * axis : 2 * axis + 2]
        if low < along[axis] < high:
            scan = high - low
            reach = max(scan - view, 0.0) / 2 + _OFF_CENTRE * min(scan, view)
            middle = (low + high) / 2
            along[axis] = np.clip(along[axis], middle - reach, middle + reach)
    return axes @ along


def turn_three_d_views(place: tuple[float, float, float], radius: float) -> None:
    """Let the 3-D views look at ``place``, from the side as now, with ``radius`` (mm) around it in sight, and some of
    the surroundings."""
    _turn_all(np.array(place), _MARGIN * max(radius, _LEAST_RADIUS_MM))


def fit_three_d_views(node) -> None:
    """Let the 3-D views show all of a vtkMRMLDisplayableNode, from the side as now; nothing where it is empty."""
    bounds = [0.0] * 6
    node.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    if (low <= high).all():
        _turn_all((low + high) / 2, float(np.linalg.norm(high - low)) / 2)


def _turn_all(place: np.ndarray, radius: float) -> None:
    """To a sphere, in mm."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer without a main window
        return
    for index in range(manager.threeDViewCount):
        view = manager.threeDWidget(index).mrmlViewNode()
        camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view is not None else None
        if camera is not None:
            _look_at(camera, place, radius)


def _look_at(camera, place: np.ndarray, radius: float) -> None:
    direction = np.array(camera.GetPosition()) - np.array(camera.GetFocalPoint())
    length = np.linalg.norm(direction)
    direction = direction / length if length > 0 else np.array([0.0, 1.0, 0.0])  # from the front
    distance = radius / math.sin(math.radians(camera.GetViewAngle()) / 2)
    camera.SetFocalPoint(*place)
    camera.SetPosition(*(place + direction * distance))
    camera.ResetClippingRange()
