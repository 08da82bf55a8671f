"""Off-screen render windows driven by Slicer's own displayable managers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support


class OffscreenView:
    """A render window without a screen, filled by the displayable managers of one view node."""

    def __init__(self, factory: Any, managers: tuple[str, ...], size: tuple[int, int], background: Any = None) -> None:
        self.renderer = vtk.vtkRenderer()
        if background is not None:
            self.renderer.AddViewProp(background)  # first: 2-D props are blended in the order in which they were added
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.ShowWindowOff()
        self.window.SetMultiSamples(8)
        self.window.SetSize(*size)
        self.window.AddRenderer(self.renderer)
        self._interactor = vtk.vtkGenericRenderWindowInteractor()  # no X server needed
        self._interactor.SetRenderWindow(self.window)
        self._interactor.Initialize()
        self._interactor.UpdateSize(*size)
        for name in managers:
            if not factory.IsDisplayableManagerRegistered(name):
                factory.RegisterDisplayableManager(name)
        self._group = slicer.vtkMRMLDisplayableManagerGroup()
        self._group.SetRenderer(self.renderer)
        self._group.Initialize(factory, self.renderer)

    def show_node(self, node: Any) -> None:
        """The slice node or view node that the managers follow."""
        self._group.SetMRMLDisplayableNode(node)

    def add_text(self, text: str, position: tuple[float, float], size: int, justify: str = "centre") -> None:
        """Text in normalised window coordinates, in VTK's built-in font: no font of the machine is needed."""
        actor = vtk.vtkTextActor()
        actor.SetInput(text)
        actor.GetPositionCoordinate().SetCoordinateSystemToNormalizedViewport()
        actor.SetPosition(*position)
        style = actor.GetTextProperty()
        style.SetFontSize(size)
        style.SetBold(True)
        style.SetColor(1.0, 0.95, 0.6)
        style.SetShadow(True)
        {"left": style.SetJustificationToLeft, "centre": style.SetJustificationToCentered}[justify]()
        style.SetVerticalJustificationToCentered()
        self.renderer.AddViewProp(actor)

    def image(self) -> np.ndarray:
        """The picture, (rows from the top, columns, 3) uint8."""
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.ShouldRerenderOff()
        grab.Update()
        output = grab.GetOutput()
        columns, rows, _ = output.GetDimensions()
        pixels = numpy_support.vtk_to_numpy(output.GetPointData().GetScalars())
        return pixels.reshape(rows, columns, -1)[::-1, :, :3].copy()

    def close(self) -> None:
        """Let go of the managers before the window, as their destructors draw."""
        self._group.SetMRMLDisplayableNode(None)
        self._group.SetRenderer(None)
        self._interactor.SetRenderWindow(None)
        self.window.RemoveRenderer(self.renderer)
        self.window.Finalize()


def write_png(path: Path, pixels: np.ndarray) -> Path:
    """Write (rows, columns, 3) uint8, first row at the top."""
    rows, columns, channels = pixels.shape
    image = vtk.vtkImageData()
    image.SetDimensions(columns, rows, 1)
    flat = np.ascontiguousarray(pixels[::-1]).reshape(-1, channels)
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(flat, deep=True, array_type=vtk.VTK_UNSIGNED_CHAR))
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = vtk.vtkPNGWriter()
    writer.SetInputData(image)
    writer.SetFileName(str(path))
    writer.Write()
    return path


def voxels(image: Any) -> np.ndarray:
    """View of a vtkImageData's scalars as (k, j, i)."""
    columns, rows, slices = image.GetDimensions()
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(slices, rows, columns)
