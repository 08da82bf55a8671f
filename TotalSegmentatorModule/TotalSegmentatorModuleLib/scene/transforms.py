"""How a segmentation lies to its CT where either of them is under a transform."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from TotalSegmentatorWire.errors.problem import SegmentationError


def segmentation_to_ct(node, ct) -> np.ndarray:
    """4 x 4: the segmentation's own coordinates to those of the CT's IJK-to-RAS matrix, RAS in mm.

    The identity where both have the same parent transform, whatever it is: Slicer lays a CT of irregular slices and
    what is drawn on it under one non-linear acquisition transform. Raises SegmentationError
    ("EXPORT_NONLINEAR_TRANSFORM") where a non-linear transform lies between the two.
    """
    ours, theirs = node.GetParentTransformNode(), ct.GetParentTransformNode()
    if ours is theirs:
        return np.eye(4)
    above_node, above_ct = _chain(ours), _chain(theirs)
    while above_node and above_ct and above_node[-1] is above_ct[-1]:  # what both have in common does not matter
        above_node.pop()
        above_ct.pop()
    if not all(transform.IsLinear() for transform in above_node + above_ct):
        raise SegmentationError("EXPORT_NONLINEAR_TRANSFORM")
    return np.linalg.inv(_product(above_ct)) @ _product(above_node)


def _chain(transform) -> list:
    """The transform and its parents, the outermost last."""
    chain = []
    while transform is not None:
        chain.append(transform)
        transform = transform.GetParentTransformNode()
    return chain


def _product(chain: list) -> np.ndarray:
    product = np.eye(4)
    for transform in chain:
        matrix = vtk.vtkMatrix4x4()
        transform.GetMatrixTransformToParent(matrix)
        product = slicer.util.arrayFromVTKMatrix(matrix) @ product
    return product
