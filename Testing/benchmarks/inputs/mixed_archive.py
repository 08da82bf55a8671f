"""An archive as it comes: phantoms of many patients, as image files and as DICOM series, and CTs that are spoilt."""

from __future__ import annotations

import shutil
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
from phantom import PhantomParameters, make_phantom
from phantom.files import save_phantom

_SPACING_MM = (10.0, 10.0, 10.0)
"""Coarse, and without noise, in which weights of chance find islands: what is tried is the run, not the networks."""
_DICOM_EVERY = 4


def mixed_archive(folder: Path, count: int) -> Path:
    """``count`` good phantoms, every fourth as a DICOM series, and BAD spoilt CTs; made once."""
    if folder.exists():
        return folder
    draft = folder.with_name(folder.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for number in range(count):
        scale = (1 + 0.01 * (number % 7),) * 3
        phantom = make_phantom(PhantomParameters(seed=number, spacing_mm=_SPACING_MM, scale=scale, noise_hu=0.0))
        place = draft / f"patient-{number:02d}"
        place.mkdir()
        if number % _DICOM_EVERY == 0:
            ct_variants.write_dicom_series(place / "ct", phantom.ct.astype(np.int16), phantom.ijk_to_ras)
        else:
            save_phantom(phantom, place / "ct.nii.gz")
    for name, spoil in BAD.items():
        spoil(draft / name, draft)
    draft.rename(folder)
    return folder


def _series(folder: Path, archive: Path) -> list[Path]:
    """A copy of the first patient's series, as another one."""
    shutil.copytree(archive / "patient-00" / "ct", folder)
    files = sorted(folder.iterdir())
    uid, frame, study = (pydicom.uid.generate_uid() for _ in range(3))
    for path in files:
        header = pydicom.dcmread(path)
        header.SeriesInstanceUID, header.FrameOfReferenceUID, header.StudyInstanceUID = uid, frame, study
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        header.save_as(path)
    return files


def _missing_slice(folder: Path, archive: Path) -> None:
    _series(folder, archive)[10].unlink()


def _damaged_slice(folder: Path, archive: Path) -> None:
    path = _series(folder, archive)[10]
    path.write_bytes(path.read_bytes()[:400])


def _short_pixels(folder: Path, archive: Path) -> None:
    path = _series(folder, archive)[10]
    path.write_bytes(path.read_bytes()[:-500])


def _two_slices(folder: Path, archive: Path) -> None:
    for path in _series(folder, archive)[2:]:
        path.unlink()


def _cut_off_image(folder: Path, archive: Path) -> None:
    folder.mkdir()
    content = (archive / "patient-01" / "ct.nii.gz").read_bytes()
    (folder / "ct.nii.gz").write_bytes(content[: len(content) // 2])


def _text_as_image(folder: Path, archive: Path) -> None:
    folder.mkdir()
    (folder / "ct.nrrd").write_text("this is no image", encoding="utf-8")


def _empty_image(folder: Path, archive: Path) -> None:
    folder.mkdir()
    (folder / "ct.mha").touch()


BAD = {
    "bad-missing-slice": _missing_slice,
    "bad-damaged-slice": _damaged_slice,
    "bad-short-pixels": _short_pixels,
    "bad-two-slices": _two_slices,
    "bad-cut-off-image": _cut_off_image,
    "bad-text-as-image": _text_as_image,
    "bad-empty-image": _empty_image,
}
"""By the name of the folder that each makes."""
