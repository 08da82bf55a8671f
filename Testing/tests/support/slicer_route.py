"""What the panel sends of a DICOM series: the voxels and the grid as Slicer's own reader makes them, and the files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK
from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_transferred
from TotalSegmentatorWire import job_folder
from TotalSegmentatorWire.messages.segment import CtHeader

_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_as_slicer_sends(series: Path, job: Path, edit=None, first_slice: int = 0) -> ReadInput:
    """``edit`` changes the voxels (k, j, i) on the way, as somebody may do it in Slicer; they begin with slice number
    ``first_slice`` of the series then."""
    names = SimpleITK.ImageSeriesReader.GetGDCMSeriesFileNames(str(series))
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(names)
    image = reader.Execute()
    array = SimpleITK.GetArrayFromImage(image)
    array = array if edit is None else edit(array)
    to_lps = np.eye(4)
    to_lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    to_lps[:3, 3] = image.GetOrigin() + first_slice * to_lps[:3, 2]
    job.mkdir(parents=True, exist_ok=True)
    (job / job_folder.CT_VOXELS).write_bytes(np.ascontiguousarray(array).tobytes())
    header = CtHeader(
        ct_id="1",
        shape=list(array.shape),
        dtype=array.dtype.name,
        ijk_to_ras=(_RAS_FROM_LPS @ to_lps).ravel().tolist(),
        dicom_files=list(names),
    )
    return read_transferred(job, header)
