"""Where to look at a structure: a point inside it, in world coordinates."""

from __future__ import annotations

import numpy as np
import vtk
import vtk.util.numpy_support

from TotalSegmentatorModuleLib.tags.structure_measures import read_measures

_LABELMAP = "Binary labelmap"


def place_of_segment(node, segment_id: str) -> tuple[float, float, float] | None:
    """A point of a segment near the middle of its box, R, A, S in mm of the world; None where nothing is known of it.

    Only three slices of the label image are looked at. A segment that this module did not measure gets Slicer's own
    centre.
    """
    segment = node.GetSegmentation().GetSegment(segment_id)
    measures = read_measures(segment) if segment is not None else None
    if measures is None:
        return _slicers_centre(node, segment_id)
    image = segment.GetRepresentation(_LABELMAP)
    inside = _voxel_near(image, segment.GetLabelValue(), measures.centre) if image is not None else None
    return to_world(node, inside or measures.centre)


def to_world(node, place: tuple[float, float, float]) -> tuple[float, float, float]:
    """A point in the coordinates of a transformable MRML node, in those of the world; both RAS in mm."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return tuple(place)
    transform = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(transform)
    return tuple(transform.TransformPoint(place))


def _slicers_centre(node, segment_id: str) -> tuple[float, float, float] | None:
    segment = node.GetSegmentation().GetSegment(segment_id)
    image = segment.GetRepresentation(_LABELMAP) if segment is not None else None
    if image is None or image.IsEmpty():
        return None
    centre = [0.0, 0.0, 0.0]
    node.GetSegmentCenterRAS(segment_id, centre)
    return tuple(centre)


def _voxel_near(image, label: int, centre: tuple[float, float, float]) -> tuple[float, float, float] | None:
    """The voxel of ``label`` nearest to ``centre`` in the three slices through it; RAS in mm of the image."""
    to_ijk = vtk.vtkMatrix4x4()
    image.GetWorldToImageMatrix(to_ijk)
    first = np.array(image.GetExtent()[0::2])
    middle = np.array(to_ijk.MultiplyPoint((*centre, 1.0))[:3]) - first
    scalars = image.GetPointData().GetScalars()
    if scalars is None:
        return None
    voxels = vtk.util.numpy_support.vtk_to_numpy(scalars).reshape(tuple(reversed(image.GetDimensions())))
    for axis in (2, 1, 0):  # of i, j, k: the slices as they were acquired come first
        index = round(middle[axis])
        if not 0 <= index < voxels.shape[2 - axis]:
            continue
        rest = [other for other in (0, 1, 2) if other != axis]
        # the array's axes are k, j, i: of what is left, the later axis of ijk comes first
        found = np.argwhere(np.take(voxels, index, axis=2 - axis) == label)[:, ::-1]
        if not len(found):
            continue
        nearest = found[np.argmin(((found - middle[rest]) ** 2).sum(axis=1))]
        ijk = np.zeros(3)
        ijk[axis], ijk[rest] = index, nearest
        to_ras = vtk.vtkMatrix4x4()
        image.GetImageToWorldMatrix(to_ras)
        return tuple(to_ras.MultiplyPoint((*(ijk + first), 1.0))[:3])
    return None
