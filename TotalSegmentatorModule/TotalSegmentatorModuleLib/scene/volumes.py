"""Small questions about the volumes of the scene."""

from __future__ import annotations

import numpy as np
import slicer
import vtk


def scalar_volumes() -> list:
    """All vtkMRMLScalarVolumeNodes of the scene that hold voxels; label maps are none."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    return [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData()]


def only_ct():
    """The CT of the scene if there is just one, else None.

    That is the only volume of DICOM modality CT or, where no volume is, the only one of unknown modality.
    """
    shown = [volume for volume in scalar_volumes() if not volume.GetHideFromEditors()]
    modalities = [(volume, dicom_modality(volume)) for volume in shown]
    candidates = [volume for volume, modality in modalities if modality == "CT"]
    candidates = candidates or [volume for volume, modality in modalities if modality is None]
    return candidates[0] if len(candidates) == 1 else None


def ijk_to_ras(volume) -> np.ndarray:
    """4 x 4 matrix of a volume node: column, row, slice index to RAS in mm, without the parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def series_instance_uid(volume) -> str | None:
    """DICOM Series Instance UID of a volume, None where it was not loaded from DICOM."""
    hierarchy, item = hierarchy_item(volume)
    return (hierarchy.GetItemUID(item, "DICOM") or None) if item else None


def dicom_modality(volume) -> str | None:
    """DICOM modality of a volume ("CT", "MR"), None where it was not loaded from DICOM."""
    hierarchy, item = hierarchy_item(volume)
    return (hierarchy.GetItemAttribute(item, "DICOM.Modality") or None) if item else None


def patient_identifiers(node) -> list[str]:
    """Name, ID and birth date of the patient under whom a node is in the subject hierarchy, as far as it says them."""
    hierarchy, item = hierarchy_item(node)
    names = slicer.vtkMRMLSubjectHierarchyConstants
    attributes = (
        names.GetDICOMPatientNameAttributeName(),
        names.GetDICOMPatientIDAttributeName(),
        names.GetDICOMPatientBirthDateAttributeName(),
    )
    found: list[str] = []
    while item and item != hierarchy.GetSceneItemID():
        found += [value for name in attributes if (value := hierarchy.GetItemAttribute(item, name))]
        item = hierarchy.GetItemParent(item)
    return found


def hierarchy_item(node) -> tuple:
    """The subject hierarchy node and the item of ``node`` in it, 0 where it has none."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    return hierarchy, (hierarchy.GetItemByDataNode(node) if hierarchy else 0)


def file_beside(node, other) -> None:
    """Put ``node`` where ``other`` is in the subject hierarchy: under the same study."""
    hierarchy, other_item = hierarchy_item(other)
    item = hierarchy_item(node)[1]
    if item and other_item:
        hierarchy.SetItemParent(item, hierarchy.GetItemParent(other_item))


def collapse_item(node) -> None:
    """Show ``node`` in the Data module without what is below it: a hundred segments would hide everything else."""
    hierarchy, item = hierarchy_item(node)
    if item:
        hierarchy.SetItemExpanded(item, False)
