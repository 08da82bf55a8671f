"""Puts images into the scene as Slicer does: geometry in RAS, patient tree, DICOM attributes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def add_volume(array: np.ndarray, ijk_to_ras: np.ndarray, name: str) -> Any:
    """A scalar volume node from voxels (k, j, i) and a 4x4 matrix from (i, j, k) to RAS in mm."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(np.asarray(ijk_to_ras, dtype=float)))
    slicer.util.updateVolumeFromArray(node, np.ascontiguousarray(array))
    _display_as_ct(node)
    return node


def load_volume(path: Path) -> Any:
    """A scalar volume node from NIfTI, NRRD, MHA, MHD or one DICOM file, named after the file.

    Raises RuntimeError when SimpleITK cannot read it, ValueError when it is not a 3-D scalar image.
    """
    import SimpleITK as sitk  # noqa: N813 - the usual name

    image = sitk.ReadImage(str(path))
    return add_volume(*_array_and_matrix(image), name=_stem(path))


def load_dicom_series(folder: Path, database: Any, *, acquisition_transform: bool = False) -> Any:
    """A scalar volume node from one DICOM series with what Slicer's DICOM module attaches.

    ``DICOM.instanceUIDs`` (in slice order), patient and study items above it in the subject hierarchy with their UIDs,
    the files in the database; nothing of this for anonymised files without UIDs, which CTK's
    database refuses. With ``acquisition_transform`` the volume hangs under a grid transform, as Slicer does with tilted
    or irregular series. Raises ValueError when the folder does not hold exactly one series.
    """
    import SimpleITK as sitk  # noqa: N813 - the usual name

    files = database.add_folder(folder)
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise ValueError(f"The folder holds {len(series)} DICOM series")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])
    node = _volume_of_files(names, has_uids=len(files) == len(names))
    if acquisition_transform:
        _attach_grid_transform(node)
    return node


def load_dicom_files(files: list[Path], series_uid: str) -> Any:
    """The same of the files of one series of the database, which lie in one folder. ValueError without files,
    RuntimeError for files that cannot be read."""
    import SimpleITK as sitk  # noqa: N813 - the usual name

    if not files:
        raise ValueError("The database has no such series")
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(files[0].parent), series_uid)
    if not names:
        raise ValueError("The files are not there")
    return _volume_of_files(names, has_uids=True)


def _volume_of_files(names: Any, *, has_uids: bool) -> Any:
    import pydicom
    import SimpleITK as sitk  # noqa: N813 - the usual name

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    headers = [pydicom.dcmread(name, stop_before_pixels=True) for name in names]
    title = f"{headers[0].get('SeriesNumber', '')}: {headers[0].get('SeriesDescription', 'No description')}"
    node = add_volume(*_array_and_matrix(reader.Execute()), name=slicer.mrmlScene.GenerateUniqueName(title))
    if has_uids:
        node.SetAttribute("DICOM.instanceUIDs", " ".join(str(header.SOPInstanceUID) for header in headers))
        _file_in_hierarchy(node, headers[0])
    return node


def _array_and_matrix(image: Any) -> tuple[np.ndarray, np.ndarray]:
    import SimpleITK as sitk  # noqa: N813 - the usual name

    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError("Not a 3-D scalar image")
    to_lps = np.eye(4)
    to_lps[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    to_lps[:3, 3] = image.GetOrigin()
    return sitk.GetArrayFromImage(image), _LPS_TO_RAS @ to_lps


def _stem(path: Path) -> str:
    name = Path(path).name
    for ending in (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd", ".dcm"):
        name = name.removesuffix(ending)
    return name


def _display_as_ct(node: Any) -> None:
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
    display.AutoWindowLevelOff()
    display.SetWindowLevel(400, 40)


def _file_in_hierarchy(node: Any, header: Any) -> None:
    tree = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    patient_uid = str(header.get("PatientID", "")) or "no patient ID"
    patient = tree.GetItemByUID("DICOM", patient_uid)
    if not patient:
        patient = tree.CreateSubjectItem(tree.GetSceneItemID(), str(header.get("PatientName", "")) or "No name")
        tree.SetItemUID(patient, "DICOM", patient_uid)
        for tag in ("PatientName", "PatientID", "PatientSex", "PatientBirthDate", "PatientComments"):
            tree.SetItemAttribute(patient, "DICOM." + tag, str(header.get(tag, "")))
    study_uid = str(header.get("StudyInstanceUID", ""))
    study = tree.GetItemByUID("DICOM", study_uid)
    if not study:
        study = tree.CreateStudyItem(patient, str(header.get("StudyDescription", "")) or "No study description")
        tree.SetItemUID(study, "DICOM", study_uid)
    item = tree.GetItemByDataNode(node)
    tree.SetItemUID(item, "DICOM", str(header.SeriesInstanceUID))
    tree.SetItemAttribute(item, "DICOM.Modality", str(header.get("Modality", "")))
    tree.SetItemParent(item, study)


def _attach_grid_transform(node: Any) -> None:
    """A small displacement field over the volume: not linear, like Slicer's acquisition transform."""
    dimensions, bounds = np.array((3, 3, 3)), np.zeros(6)
    node.GetRASBounds(bounds)
    low, high = bounds[0::2], bounds[1::2]
    grid = vtk.vtkImageData()
    grid.SetDimensions(*dimensions.tolist())
    grid.SetOrigin(*low)
    grid.SetSpacing(*((high - low) / (dimensions - 1)))
    field = np.zeros((27, 3))
    field[13] = (0.0, 0.0, 2.0)
    array = numpy_support.numpy_to_vtk(field, deep=True, array_type=vtk.VTK_DOUBLE)
    array.SetName("displacement")
    grid.GetPointData().SetScalars(array)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(grid)
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLGridTransformNode", f"{node.GetName()} acquisition transform")
    parent.SetAndObserveTransformFromParent(transform)
    node.SetAndObserveTransformNodeID(parent.GetID())
