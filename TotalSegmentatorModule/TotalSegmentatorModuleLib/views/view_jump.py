"""Turns Slicer's views to a place."""

from __future__ import annotations

import math

import numpy as np
import slicer

_MARGIN = 1.6
"""How much of the surroundings the 3-D view shows: this many radii of the structure fill its height."""
_LEAST_RADIUS_MM = 25.0
"""Of what the 3-D view shows: a gallbladder that fills it would be lost without what is around."""


def jump_slices(place: tuple[float, float, float]) -> None:
    """Centre all slice views on ``place``, R, A, S in mm of the world."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *place, slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def turn_three_d_views(place: tuple[float, float, float], radius: float) -> None:
    """Let the 3-D views look at ``place``, from the side as now, with ``radius`` (mm) around it in sight."""
    manager = slicer.app.layoutManager()
    if manager is None:  # Slicer without a main window
        return
    for index in range(manager.threeDViewCount):
        view = manager.threeDWidget(index).mrmlViewNode()
        camera = slicer.modules.cameras.logic().GetViewActiveCameraNode(view) if view is not None else None
        if camera is not None:
            _look_at(camera, np.array(place), max(radius, _LEAST_RADIUS_MM))


def _look_at(camera, place: np.ndarray, radius: float) -> None:
    direction = np.array(camera.GetPosition()) - np.array(camera.GetFocalPoint())
    length = np.linalg.norm(direction)
    direction = direction / length if length > 0 else np.array([0.0, 1.0, 0.0])  # from the front
    distance = _MARGIN * radius / math.sin(math.radians(camera.GetViewAngle()) / 2)
    camera.SetFocalPoint(*place)
    camera.SetPosition(*(place + direction * distance))
    camera.ResetClippingRange()
