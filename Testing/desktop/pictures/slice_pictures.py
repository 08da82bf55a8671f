"""Axial, coronal and sagittal slices with the segments' outlines, as Slicer's slice views show them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from desktop.pictures.offscreen_view import OffscreenView, voxels, write_png

_MANAGERS = ("vtkMRMLSegmentationsDisplayableManager2D", "vtkMRMLModelSliceDisplayableManager")
_VIEWS = (("Red", "Axial", 2), ("Green", "Coronal", 1), ("Yellow", "Sagittal", 0))
_LETTERS = (("L", "R"), ("P", "A"), ("I", "S"))  # of the negative and the positive direction of R, A, S
_IN_PLANE = {2: (0, 1), 1: (0, 2), 0: (1, 2)}  # view's normal axis -> axes across and up
_LABELMAP = "Binary labelmap"
_MARGIN = 1.16  # room for the letters around the patient


def write_slice_view(world: Any, path: Path, volume: Any, name: str, size: tuple[int, int]) -> Path:
    """What the slice view "Red", "Green" or "Yellow" shows now, where it is; all that is visible in it, as it is
    displayed. ``size``: columns and rows."""
    orientation, axis = next((orientation, axis) for view, orientation, axis in _VIEWS if view == name)
    place = world.slice_logics[name].GetSliceNode().GetSliceToRAS().GetElement(axis, 3)
    return write_png(path, _picture(world, volume, name, orientation, axis, place, size))


def write_slices(
    world: Any,
    path: Path,
    volume: Any,
    segmentation: Any = None,
    offsets: Mapping[str, float] | None = None,
    height: int = 640,
) -> Path:
    """Three slices side by side. ``offsets``: "Axial", "Coronal", "Sagittal" -> RAS coordinate in mm.

    Without offsets each slice is the one that cuts the most segments, or the middle of the volume.
    """
    places = {**_busiest_slices(volume, segmentation), **(offsets or {})}
    with _only_this_segmentation(segmentation):
        pictures = [
            _picture(
                world, volume, name, orientation, axis, places[orientation], (_width(volume, axis, height), height)
            )
            for name, orientation, axis in _VIEWS
        ]
    gap = np.full((height, 6, 3), 60, np.uint8)
    return write_png(path, np.hstack([pictures[0], gap, pictures[1], gap, pictures[2]]))


def _picture(
    world: Any, volume: Any, name: str, orientation: str, axis: int, place: float, size: tuple[int, int]
) -> np.ndarray:
    """(rows, columns, 3) uint8 of one view at the RAS coordinate ``place`` in mm."""
    view = _SliceView(world.slice_logics[name], size)
    try:
        view.show(volume, orientation, place, axis)
        view.annotate(f"{orientation}  {_LETTERS[axis][place >= 0]} {abs(place):.0f} mm")
        return view.view.image()
    finally:
        view.view.close()


def _corners(volume: Any) -> tuple[np.ndarray, np.ndarray]:
    bounds = np.zeros(6)
    volume.GetRASBounds(bounds)
    return bounds[0::2], bounds[1::2]


def _width(volume: Any, axis: int, height: int) -> int:
    """Window width that suits the body's shape in this view: a tall body gets narrow windows, never a strip."""
    low, high = _corners(volume)
    across, up = _IN_PLANE[axis]
    shape = (high - low)[across] / max((high - low)[up], 1e-6)
    return int(height * np.clip(shape, 0.55, 1.3))


class _SliceView:
    """One slice logic drawn into an off-screen window; CTK's light box renderer is replaced by one image actor."""

    def __init__(self, logic: Any, size: tuple[int, int]) -> None:
        self.logic = logic
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        self._mapper = vtk.vtkImageMapper()
        self._mapper.SetColorWindow(255)
        self._mapper.SetColorLevel(127.5)
        actor = vtk.vtkActor2D()
        actor.SetMapper(self._mapper)
        actor.GetProperty().SetDisplayLocationToBackground()
        self.view = OffscreenView(factory, _MANAGERS, size, background=actor)
        self.view.renderer.GetActiveCamera().ParallelProjectionOn()
        self.view.show_node(logic.GetSliceNode())

    def show(self, volume: Any, orientation: str, offset: float, axis: int) -> None:
        node = self.logic.GetSliceNode()
        node.SetOrientation(orientation)
        self.logic.GetSliceCompositeNode().SetBackgroundVolumeID(volume.GetID())
        columns, rows = self.view.window.GetSize()
        node.SetDimensions(columns, rows, 1)
        self._fit(volume, node, axis, columns, rows)
        self.logic.SetSliceOffset(offset * _offset_sign(node, axis))
        self._mapper.SetInputConnection(self.logic.GetImageDataConnection())

    @staticmethod
    def _fit(volume: Any, node: Any, axis: int, columns: int, rows: int) -> None:
        """The whole volume in the picture, the same scale in both directions, a small margin for the letters."""
        low, high = _corners(volume)
        extent = high - low
        across, up = _IN_PLANE[axis]
        scale = max(extent[across] / columns, extent[up] / rows) * _MARGIN
        node.SetFieldOfView(scale * columns, scale * rows, 1.0)
        middle = (low + high) / 2
        matrix = node.GetSliceToRAS()
        for row in range(3):
            matrix.SetElement(row, 3, middle[row])
        node.UpdateMatrices()

    def annotate(self, caption: str) -> None:
        """Letters of the patient's directions at the edges, from the slice's own matrix, and a caption."""
        matrix = self.logic.GetSliceNode().GetSliceToRAS()
        for column, (near, far) in enumerate((((0.03, 0.5), (0.97, 0.5)), ((0.5, 0.03), (0.5, 0.97)))):
            direction = [matrix.GetElement(row, column) for row in range(3)]
            axis = int(np.argmax(np.abs(direction)))
            positive = direction[axis] > 0
            self.view.add_text(_LETTERS[axis][positive], far, 20)
            self.view.add_text(_LETTERS[axis][not positive], near, 20)
        self.view.add_text(caption, (0.02, 0.96), 16, "left")


def _offset_sign(node: Any, axis: int) -> float:
    """Slicer counts a slice's offset along its normal; along which way of the axis does that point?"""
    return 1.0 if node.GetSliceToRAS().GetElement(axis, 2) > 0 else -1.0


def _busiest_slices(volume: Any, segmentation: Any) -> dict[str, float]:
    low, high = _corners(volume)
    middle = (low + high) / 2
    places = {orientation: float(middle[axis]) for _, orientation, axis in _VIEWS}
    image = _first_labelmap(segmentation)
    if image is None:
        return places
    array = np.moveaxis(voxels(image), (0, 1, 2), (2, 1, 0))  # (i, j, k)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    first = np.array(image.GetExtent()[0::2])
    for _, orientation, axis in _VIEWS:
        along = int(np.argmax(np.abs(to_ras[axis, :3])))
        slices = np.moveaxis(array, along, 0)
        labels = [len(np.unique(one)) + np.count_nonzero(one) / one.size for one in slices]
        index = first + np.array(array.shape) / 2
        index[along] = first[along] + int(np.argmax(labels))
        places[orientation] = float((to_ras @ [*index, 1.0])[axis])
    return places


def _first_labelmap(segmentation: Any) -> Any:
    if segmentation is None or segmentation.GetSegmentation().GetNumberOfSegments() == 0:
        return None
    image = segmentation.GetSegmentation().GetNthSegment(0).GetRepresentation(_LABELMAP)
    return image if image is not None and image.GetNumberOfPoints() else None


@contextlib.contextmanager
def _only_this_segmentation(segmentation: Any) -> Iterator[None]:
    """Clear outlines with a light fill, other segmentations hidden; everything as before afterwards."""
    undo: list[tuple[Any, Any]] = []
    for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode"):
        display = node.GetDisplayNode()
        if display is None and node is segmentation:
            node.CreateDefaultDisplayNodes()
            display = node.GetDisplayNode()
        if display is None:
            continue
        if node is segmentation:
            wanted = {
                "Visibility": True,
                "Visibility2D": True,
                "Visibility2DFill": True,
                "Visibility2DOutline": True,
                "Opacity2DFill": 0.22,
                "Opacity2DOutline": 1.0,
                "SliceIntersectionThickness": 2,
            }
        else:
            wanted = {"Visibility": False}
        for key, value in wanted.items():
            write = getattr(display, f"Set{key}")
            undo.append((write, getattr(display, f"Get{key}")()))
            write(value)
    try:
        yield
    finally:
        for write, value in reversed(undo):
            write(value)
