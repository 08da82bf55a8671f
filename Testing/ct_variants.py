"""Writes one CT in many ways for tests: voxel orders, file formats, classic and enhanced DICOM series.

Arrays have the axes (k, j, i); ``ijk_to_ras`` is 4x4 in mm. Nothing here uses the engine's geometry, so that a mistake
there cannot hide in the test data. The DICOM objects hold made-up identifiers only.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import SimpleITK
from nibabel import orientations
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import DSfloat

RIGHT_HANDED = ("LPS", "RAS", "PIR")
LEFT_HANDED = ("LAS",)
LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])

Edit = Callable[[Dataset, int], None]
"""Called with each slice's dataset and number before it is written, to spoil it."""


def reordered(array: np.ndarray, ijk_to_ras: np.ndarray, codes: str) -> tuple[np.ndarray, np.ndarray]:
    """The same image with i, j, k running towards the letters of ``codes`` (as nearly as its axes allow)."""
    now = orientations.io_orientation(ijk_to_ras)
    wanted = orientations.axcodes2ornt(tuple(codes))
    change = orientations.ornt_transform(now, wanted)
    by_ijk = np.transpose(array)
    turned = orientations.apply_orientation(by_ijk, change)
    matrix = ijk_to_ras @ orientations.inv_ornt_aff(change, by_ijk.shape)
    return np.ascontiguousarray(np.transpose(turned)), matrix


def turned(ijk_to_ras: np.ndarray, degrees: float) -> np.ndarray:
    """The grid's axes turned by ``degrees`` about the patient's left-right axis; the first voxel stays in place."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = ijk_to_ras.copy()
    matrix[:3, :3] = np.array([[1, 0, 0], [0, c, -s], [0, s, c]]) @ matrix[:3, :3]
    return matrix


def write_image(path: Path, array: np.ndarray, ijk_to_ras: np.ndarray) -> Path:
    """NIfTI by nibabel (sform), NRRD, MHA and MHD by SimpleITK, by the suffix."""
    if path.name.endswith((".nii", ".nii.gz")):
        nibabel.Nifti1Image(np.transpose(array), ijk_to_ras).to_filename(path)
        return path
    image = SimpleITK.GetImageFromArray(array)
    to_lps = LPS_FROM_RAS @ ijk_to_ras
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((to_lps[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(to_lps[:3, 3].tolist())
    SimpleITK.WriteImage(image, str(path))
    return path


def write_dicom_series(
    folder: Path,
    array: np.ndarray,
    ijk_to_ras: np.ndarray,
    edit: Edit | None = None,
    intercept: int = 0,
    slope: float = 1.0,
) -> Path:
    """A classic CT series, one file a slice, int16. The grid must be right-handed, as every DICOM series is.

    File names run against the slice order, so that a reader that trusts them fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    series, study, frame = generate_uid(), generate_uid(), generate_uid()
    for number in range(len(array)):
        dataset = _ct_dataset(series, study, frame, CTImageStorage)
        _set_pixels(dataset, np.round((array[number] - intercept) / slope).astype(np.int16))
        dataset.InstanceNumber = number + 1
        dataset.SliceThickness = "1"  # wrong on purpose: the spacing is in the positions
        dataset.RescaleIntercept, dataset.RescaleSlope = str(intercept), str(slope)
        position, orientation, spacing = _plane(ijk_to_ras, number)
        dataset.ImagePositionPatient, dataset.ImageOrientationPatient = position, orientation
        dataset.PixelSpacing = spacing
        if edit is not None:
            edit(dataset, number)
        dataset.save_as(folder / f"slice-{len(array) - number:04d}.dcm", enforce_file_format=True)
    return folder


def write_enhanced_dicom(
    path: Path, array: np.ndarray, ijk_to_ras: np.ndarray, frame_order: list[int] | None = None, intercept: int = 0
) -> Path:
    """One enhanced multi-frame CT; ``frame_order`` gives the slice number of each stored frame."""
    order = frame_order or list(range(len(array)))
    dataset = _ct_dataset(generate_uid(), generate_uid(), generate_uid(), EnhancedCTImageStorage)
    _set_pixels(dataset, (array[order] - intercept).astype(np.int16))
    _, orientation, spacing = _plane(ijk_to_ras, 0)
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=orientation)]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=spacing, SliceThickness="1")]
    shared.PixelValueTransformationSequence = [
        _item(RescaleIntercept=str(intercept), RescaleSlope="1", RescaleType="HU")
    ]
    dataset.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for number in order:
        frame = Dataset()
        frame.PlanePositionSequence = [_item(ImagePositionPatient=_plane(ijk_to_ras, number)[0])]
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _plane(ijk_to_ras: np.ndarray, number: int) -> tuple[list[DSfloat], list[DSfloat], list[DSfloat]]:
    """ImagePositionPatient, ImageOrientationPatient and PixelSpacing of slice ``number``."""
    to_lps = LPS_FROM_RAS @ ijk_to_ras
    if np.linalg.det(to_lps[:3, :3]) < 0:
        raise ValueError("a DICOM series cannot be left-handed")
    spacing = np.linalg.norm(to_lps[:3, :3], axis=0)
    position = to_lps[:3, 3] + number * to_lps[:3, 2]
    direction = to_lps[:3, :3] / spacing
    return (
        _decimal_strings(position),
        _decimal_strings([*direction[:, 0], *direction[:, 1]]),
        _decimal_strings([spacing[1], spacing[0]]),
    )


def _decimal_strings(values) -> list[DSfloat]:
    return [DSfloat(float(value), auto_format=True) for value in values]


def _item(**attributes) -> Dataset:
    item = Dataset()
    for name, value in attributes.items():
        setattr(item, name, value)
    return item


def _ct_dataset(series: str, study: str, frame_of_reference: str, sop_class: str) -> Dataset:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = series, study
    dataset.FrameOfReferenceUID = frame_of_reference
    dataset.Modality, dataset.PatientName, dataset.PatientID = "CT", "Test^Phantom", "TEST"
    dataset.PatientBirthDate = dataset.PatientSex = dataset.StudyDate = dataset.StudyTime = ""
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    return dataset


def _set_pixels(dataset: Dataset, pixels: np.ndarray) -> None:
    """``pixels``: int16, (rows, columns) or (frames, rows, columns)."""
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = len(pixels)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 1
    dataset.PixelData = np.ascontiguousarray(pixels).astype("<i2").tobytes()


def read_dicom_file(path: Path) -> Dataset:
    return pydicom.dcmread(path)
