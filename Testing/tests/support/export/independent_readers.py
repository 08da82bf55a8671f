"""Programs of others that read what the export writes: each function gives masks by structure name.

Every mask is bool (k, j, i) on the pixels of the CT, its planes in the order of their normal (row x column).

- the plain rule: pydicom and scikit-image. A pixel belongs to a structure where its centre is inside the contours of
  its plane, counted by even-odd. Nothing of our own reader is in it.
- plastimatch, a program (Debian: plastimatch); raises ReaderAbsentError where it is not installed.
- dcmrtstruct2nii and rt_utils, Python packages. Version 5 of the first calls ``pydicom.read_file``, a name that pydicom
  3 has no more; it has it back while the package runs.
"""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK

Masks = dict[str, np.ndarray]


class ReaderAbsentError(Exception):
    """A program that is no Python package is not on this machine; the message says what to install."""


def read_by_plain_rule(rtstruct: Path, ct_folder: Path) -> Masks:
    return dict(masks_by_plain_rule(rtstruct, ct_folder))


def masks_by_plain_rule(rtstruct: Path, ct_folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """One structure at a time, as large ones may not be in memory together."""
    from skimage.measure import grid_points_in_poly

    planes = ct_planes(ct_folder)
    first = planes[0]
    along_row, along_column = np.reshape(first.ImageOrientationPatient, (2, 3)).astype(float)
    row_distance, column_distance = map(float, first.PixelSpacing)
    order = {str(plane.SOPInstanceUID): k for k, plane in enumerate(planes)}
    dataset = pydicom.dcmread(rtstruct)
    names = {int(item.ROINumber): str(item.ROIName) for item in dataset.StructureSetROISequence}
    for roi in dataset.ROIContourSequence:
        mask = np.zeros((len(planes), first.Rows, first.Columns), bool)
        for contour in roi.get("ContourSequence") or ():
            k = order[str(contour.ContourImageSequence[0].ReferencedSOPInstanceUID)]
            origin = np.array(planes[k].ImagePositionPatient, float)
            away = np.reshape(contour.ContourData, (-1, 3)).astype(float) - origin
            points = np.stack([away @ along_column / row_distance, away @ along_row / column_distance], axis=1)
            low, high = np.floor(points.min(axis=0)).astype(int), np.ceil(points.max(axis=0)).astype(int)
            (top, left), (bottom, right) = np.maximum(low, 0), np.minimum(high + 1, mask.shape[1:])
            inside = grid_points_in_poly((bottom - top, right - left), points - (top, left))
            mask[k, top:bottom, left:right] ^= inside
        yield names[int(roi.ReferencedROINumber)], mask


def read_by_plastimatch(rtstruct: Path, ct_folder: Path, work: Path, *options: str) -> Masks:
    """``options`` go to ``plastimatch convert``: --xor-contours for holes that are contours of their own."""
    program = shutil.which("plastimatch")
    if program is None:
        raise ReaderAbsentError("plastimatch is not installed (Debian: sudo apt-get install plastimatch)")
    shutil.rmtree(work, ignore_errors=True)
    arguments = ["--input", rtstruct, "--referenced-ct", ct_folder, "--output-prefix", work, "--prefix-format", "nrrd"]
    _run([program, "convert", *arguments, *options])
    return _masks_of_files(work, "", rtstruct, ct_folder)


def read_by_dcmrtstruct2nii(rtstruct: Path, ct_folder: Path, work: Path) -> Masks:
    with _old_name_of_pydicom(), contextlib.redirect_stdout(io.StringIO()):
        from dcmrtstruct2nii.facade.dcmrtstruct2nii import dcmrtstruct2nii

        shutil.rmtree(work, ignore_errors=True)
        dcmrtstruct2nii(str(rtstruct), str(ct_folder), str(work), gzip=False, convert_original_dicom=False)
    return _masks_of_files(work, "mask_", rtstruct, ct_folder)


def read_by_rt_utils(rtstruct: Path, ct_folder: Path) -> Masks:
    """Without the structures that it cannot read: it fails where a contour has a single point, as it writes them."""
    import cv2
    from rt_utils import RTStructBuilder

    opened = RTStructBuilder.create_from(dicom_series_path=str(ct_folder), rt_struct_path=str(rtstruct))
    masks = {}
    for name in opened.get_roi_names():
        with contextlib.suppress(cv2.error):
            masks[name] = opened.get_roi_mask_by_name(name).transpose(2, 0, 1)
    return masks


def write_by_rt_utils(path: Path, ct_folder: Path, masks: Masks) -> Path:
    """The same masks by rt_utils' own writer."""
    from rt_utils import RTStructBuilder

    with contextlib.redirect_stdout(io.StringIO()):
        made = RTStructBuilder.create_new(dicom_series_path=str(ct_folder))
        for name, mask in masks.items():
            made.add_roi(mask=np.ascontiguousarray(mask.transpose(1, 2, 0)), name=name, color=[255, 0, 0])
        made.save(str(path))
    return path


# -- parts -------------------------------------------------------------------------------------------------------------


def ct_planes(folder: Path) -> list[pydicom.Dataset]:
    """The headers of a series along its normal."""
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in folder.iterdir()]
    normal = np.cross(*np.reshape(headers[0].ImageOrientationPatient, (2, 3)).astype(float))
    return sorted(headers, key=lambda header: float(np.dot(np.array(header.ImagePositionPatient, float), normal)))


def _masks_of_files(folder: Path, prefix: str, rtstruct: Path, ct_folder: Path) -> Masks:
    """Both programs write a file per structure, named after it but for signs that they leave out."""
    dataset = pydicom.dcmread(rtstruct, specific_tags=["StructureSetROISequence"])
    names = {_letters(item.ROIName): str(item.ROIName) for item in dataset.StructureSetROISequence}
    grid = _ct_image(ct_planes(ct_folder))
    masks = {}
    for path in _files(folder):
        placed = SimpleITK.Resample(SimpleITK.ReadImage(str(path)), grid, interpolator=SimpleITK.sitkNearestNeighbor)
        masks[names[_letters(path.stem.removeprefix(prefix))]] = SimpleITK.GetArrayFromImage(placed) > 0
    return masks


def _files(folder: Path) -> Iterable[Path]:
    return (path for path in sorted(folder.iterdir()) if path.suffix in (".nrrd", ".nii"))


def _letters(name: str) -> str:
    return re.sub(r"[^0-9a-z]", "", str(name).lower())


def _ct_image(planes: Sequence[pydicom.Dataset]) -> SimpleITK.Image:
    """The CT's grid without its voxels."""
    first = planes[0]
    axes = np.reshape(first.ImageOrientationPatient, (2, 3)).astype(float)
    way = np.subtract(planes[-1].ImagePositionPatient, first.ImagePositionPatient).astype(float)
    image = SimpleITK.Image(int(first.Columns), int(first.Rows), len(planes), SimpleITK.sitkUInt8)
    image.SetOrigin([float(value) for value in first.ImagePositionPatient])
    image.SetDirection(np.stack([*axes, np.cross(*axes)], axis=1).ravel().tolist())
    row_distance, column_distance = map(float, first.PixelSpacing)
    image.SetSpacing([column_distance, row_distance, float(np.linalg.norm(way)) / (len(planes) - 1)])
    return image


@contextlib.contextmanager
def _old_name_of_pydicom() -> Iterator[None]:
    if hasattr(pydicom, "read_file"):
        yield
        return
    pydicom.read_file = pydicom.dcmread
    try:
        yield
    finally:
        del pydicom.read_file


def _run(command: Sequence[str | Path]) -> None:
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise AssertionError("{} failed:\n{}{}".format(command[0], result.stdout[-2000:], result.stderr[-2000:]))
