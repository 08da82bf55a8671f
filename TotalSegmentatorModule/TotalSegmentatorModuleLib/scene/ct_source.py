"""The CT of a job as a job wants it: voxels, geometry, and a stamp that tells changes."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import slicer
from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorModuleLib.scene.volumes import dicom_modality, ijk_to_ras, series_instance_uid


class VolumeCtSource:
    """A vtkMRMLScalarVolumeNode, held by its id alone: the user may delete it at any time.

    Every property raises SegmentationError("INPUT_REMOVED") once the node has left the scene. Fulfils
    job_types.CtSource.
    """

    def __init__(self, volume) -> None:
        self.node_id: str = volume.GetID()
        self.dicom_files: list[str] = []
        self.series_instance_uid = series_instance_uid(volume)

    @property
    def node(self):
        """The volume node, None once it has left the scene."""
        return slicer.mrmlScene.GetNodeByID(self.node_id)

    @property
    def array(self) -> np.ndarray:
        """The volume's own voxels, shape (k, j, i), not copied."""
        return slicer.util.arrayFromVolume(self._present())

    @property
    def ijk_to_ras(self) -> np.ndarray:
        """4 x 4, column, row, slice index to RAS in mm; the parent transform is not applied."""
        return ijk_to_ras(self._present())

    def change_stamp(self) -> Hashable:
        """Differs after every change of the voxels or the geometry."""
        volume = self._present()
        image = volume.GetImageData()
        scalars = image.GetPointData().GetScalars()
        # arrayFromVolumeModified marks the scalars alone, replaced images are other objects with later times
        return (self.node_id, image.GetMTime(), scalars.GetMTime(), tuple(self.ijk_to_ras.ravel().tolist()))

    def _present(self):
        volume = self.node
        if volume is None or volume.GetImageData() is None:
            raise SegmentationError("INPUT_REMOVED")
        return volume


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
