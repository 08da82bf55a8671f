"""Write a phantom as image files that 3D Slicer and nnU-Net read (NIfTI, NRRD, ...)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK

from phantom.phantom import Phantom

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0])  # ITK's physical space is LPS


def to_sitk(array: np.ndarray, ijk_to_ras: np.ndarray) -> SimpleITK.Image:
    """Return an ITK image of an array (k, j, i) whose voxel indices map to RAS (mm) by a 4 x 4 matrix."""
    image = SimpleITK.GetImageFromArray(array)
    matrix = _RAS_TO_LPS @ ijk_to_ras[:3, :3]
    spacing = np.linalg.norm(matrix, axis=0)
    image.SetSpacing([float(v) for v in spacing])
    image.SetDirection([float(v) for v in (matrix / spacing).ravel()])
    image.SetOrigin([float(v) for v in _RAS_TO_LPS @ ijk_to_ras[:3, 3]])
    return image


def save_phantom(phantom: Phantom, ct_path: Path | str, labels_path: Path | str | None = None) -> None:
    """Write the CT and, if asked, its label map; the ending of the name chooses the format."""
    SimpleITK.WriteImage(to_sitk(phantom.ct, phantom.ijk_to_ras), str(ct_path), useCompression=True)
    if labels_path is not None:
        SimpleITK.WriteImage(to_sitk(phantom.labels, phantom.ijk_to_ras), str(labels_path), useCompression=True)
