"""CT series, segmentations and references for the tests of the export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
from ct_variants import reordered, write_dicom_series
from pydicom import Dataset
from TotalSegmentatorEngine.imaging.geometry import Geometry

ORDER_OF_POSITION = {
    "HFS": "LPS",
    "HFP": "RAS",
    "FFS": "RPI",
    "FFP": "LAI",
    "HFDL": "PRS",
    "HFDR": "ALS",
}
"""Patient Position (PS3.3 C.7.3.1.1.2) to the patient's directions in which i, j and k grow on an axial CT."""


def in_position(array: np.ndarray, geometry: Geometry, position: str) -> tuple[np.ndarray, Geometry]:
    """The same image (k, j, i) with its voxels in the order that a scanner stores for this patient position."""
    turned, matrix = reordered(array, geometry.ijk_to_ras, ORDER_OF_POSITION[position])
    return turned, Geometry(turned.shape, matrix)


def write_ct_series(folder: Path, array: np.ndarray, geometry: Geometry, position: str = "HFS", **attributes) -> Path:
    """A CT series of ``array`` (k, j, i; HU) on ``geometry``, with all that a CT image must have.

    The voxels must be in an order that DICOM can hold (see ``in_position``). ``attributes`` go into every file.
    """

    def complete(dataset: Dataset, number: int) -> None:
        dataset.PatientPosition = position
        dataset.StudyID = dataset.AccessionNumber = dataset.ReferringPhysicianName = ""
        dataset.SeriesNumber, dataset.AcquisitionNumber = "1", "1"
        dataset.Manufacturer, dataset.PositionReferenceIndicator, dataset.Laterality = "Test", "", ""
        dataset.KVP = "120"
        dataset.RescaleType = "HU"
        dataset.SliceThickness = "1"
        for name, value in attributes.items():
            setattr(dataset, name, value)

    return write_dicom_series(folder, array, geometry.ijk_to_ras, complete)


def labels_on(shape: tuple[int, int, int]) -> np.ndarray:
    """Two structures that touch each other, away from the border of the CT."""
    labels = np.zeros(shape, np.uint8)
    third = [max(size // 4, 1) for size in shape]
    labels[third[0] : 2 * third[0], third[1] : 3 * third[1], third[2] : 2 * third[2]] = 1
    labels[third[0] : 2 * third[0], third[1] : 3 * third[1], 2 * third[2] : 3 * third[2]] = 2
    return labels


def with_identifiers(source, target):
    """A copy of the DICOM series in ``source`` with the identifiers that anonymising has emptied, in ``target``."""
    target.mkdir()
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix != ".nrrd":
            dataset = pydicom.dcmread(path)
            dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
            for name in ("StudyInstanceUID", "SeriesInstanceUID"):
                setattr(dataset, name, dataset.get(name) or pydicom.uid.generate_uid(entropy_srcs=[name]))
            dataset.save_as(target / path.name)
    return target
