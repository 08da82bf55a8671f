"""What only Slicer can see about a CT; everything else is judged by the engine."""

from __future__ import annotations

from TotalSegmentatorWire.errors import SegmentationError

from .volumes import dicom_modality


def check_ct(volume) -> None:
    """Judge a vtkMRMLScalarVolumeNode before it is sent.

    Raises SegmentationError: INPUT_REMOVED without voxels, INPUT_NOT_SCALAR for colour images,
    INPUT_NONLINEAR_TRANSFORM for a bent parent transform (Slicer's acquisition transform of a tilted or irregular
    series is one), INPUT_NOT_CT where the subject hierarchy knows another modality.
    """
    image = volume.GetImageData() if volume is not None else None
    if image is None or image.GetPointData().GetScalars() is None:
        raise SegmentationError("INPUT_REMOVED")
    components = image.GetNumberOfScalarComponents()
    if components != 1:
        raise SegmentationError("INPUT_NOT_SCALAR", components=components)
    transform = volume.GetParentTransformNode()
    if transform is not None and not transform.IsTransformToWorldLinear():
        raise SegmentationError("INPUT_NONLINEAR_TRANSFORM")
    modality = dicom_modality(volume)
    if modality not in (None, "CT"):
        raise SegmentationError("INPUT_NOT_CT", modality=modality)
