"""Folders of DICOM series as archives export them, and the command ``segment`` without networks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import ct_variants
import numpy as np
import pydicom
import pytest
from command_line_support import FakeModel
from one_model import model_result
from pydicom.uid import EncapsulatedPDFStorage, SecondaryCaptureImageStorage, generate_uid
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_transferred
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job as pipeline
from TotalSegmentatorWire import job_folder
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import CtHeader, FoundStructure

STEP_MM = 2.0
ORIGIN_MM = -100.0
AXIAL = np.array([[-1.5, 0, 0, 20.0], [0, -1.5, 0, 20.0], [0, 0, STEP_MM, ORIGIN_MM], [0, 0, 0, 1.0]])


def chest(seed: int = 0, slices: int = 8) -> np.ndarray:
    """A CT in miniature, (k, j, i) int16; no two slices alike, and no two seeds."""
    noise = np.random.default_rng(seed).integers(-30, 30, (slices, 16, 18))
    return (np.linspace(-1000, 900, slices * 16 * 18).reshape(slices, 16, 18) + noise).astype(np.int16)


def write_series(
    folder: Path, array: np.ndarray, name: str = "CT{:03d}.dcm", first: int = 0, **attributes
) -> list[Path]:
    """A series whose files are called in the order of the slices; a callable value gets the slice's number."""

    def edit(dataset: pydicom.Dataset, number: int) -> None:
        dataset.AcquisitionNumber = 1
        for keyword, value in attributes.items():
            setattr(dataset, keyword, value(number) if callable(value) else value)

    draft = ct_variants.write_dicom_series(folder / "draft", array, AXIAL, edit, intercept=-1024)
    written = sorted(draft.iterdir(), reverse=True)  # written last slice first
    paths = [path.rename(folder / name.format(first + number)) for number, path in enumerate(written)]
    draft.rmdir()
    return paths


def write_page(path: Path, series: str | None = None, **attributes) -> Path:
    """A secondary capture such as a dose page: no position, three values per pixel."""
    (drafted,) = write_series(path.parent, chest(slices=1), "page-{}-draft.dcm")
    dataset = pydicom.dcmread(drafted)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient, dataset.PixelSpacing
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 3, "RGB"
    dataset.SeriesInstanceUID = series or generate_uid()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(drafted)
    return drafted.rename(path)


def write_pdf_object(path: Path) -> Path:
    """A report in DICOM."""
    (drafted,) = write_series(path.parent, chest(slices=1), "pdf-{}-draft.dcm", SeriesInstanceUID=generate_uid())
    dataset = pydicom.dcmread(drafted)
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    dataset.Modality = "DOC"
    del dataset.Rows, dataset.Columns, dataset.PixelData
    dataset.EncapsulatedDocument = b"%PDF-1.4"
    dataset.save_as(drafted)
    return drafted.rename(path)


def change(path: Path, **attributes) -> None:
    dataset = pydicom.dcmread(path)
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)


def series_uid(path: Path) -> str:
    return str(pydicom.dcmread(path, stop_before_pixels=True).SeriesInstanceUID)


# -- both routes -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """A command and what it said."""

    status: int
    err: str
    array: np.ndarray | None
    """The CT that was segmented, (k, j, i)."""

    @property
    def code(self) -> str:
        found = re.findall(r"^error (\w+):", self.err, re.MULTILINE)
        return found[-1] if found else ""

    @property
    def warnings(self) -> list[str]:
        return re.findall(r"^warning (\w+):", self.err, re.MULTILINE)

    @property
    def note(self) -> str:
        found = re.findall(r"^CT: (.*)$", self.err, re.MULTILINE)
        return found[-1] if found else ""

    @property
    def rows(self) -> list[str]:
        """Ids in the list of series."""
        return re.findall(r"^(\d+(?:\.\d+)?)  ", self.err, re.MULTILINE)


class SegmentCommand:
    """``segment`` with a stand-in for the networks, which keeps the CT that it gets."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
        self._folder = folder
        self._capsys = capsys
        self._seen: list[np.ndarray] = []
        monkeypatch.setattr(pipeline, "prepare", FakeModel)
        monkeypatch.setattr(pipeline, "prefetch_weights", lambda prepared, cache: None)
        monkeypatch.setattr(pipeline, "segment", self._segment)

    def _segment(self, volume, prepared, _cache, _reporter, on_preview=None) -> SegmentationResult:
        self._seen.append(volume.array)
        labels = (volume.array > 0).astype(np.uint8)
        found = [FoundStructure(1, "spleen", int(labels.sum()), [0, 1, 0, 1, 0, 1])]
        return model_result(labels, prepared.structures, found, [], options=JobOptions(runtime="eager"))

    def __call__(self, path: Path, *options: str, name: str = "out.nrrd") -> Run:
        self._seen.clear()
        self._capsys.readouterr()
        status = main(["segment", str(path), str(self._folder / name), "--model", "m", *options])
        return Run(status, self._capsys.readouterr().err, self._seen[0] if self._seen else None)


def handed_over(folder: Path, array: np.ndarray, files: list[Path]) -> ReadInput:
    """The panel's route: the voxels that Slicer sends, with the files from which it loaded them."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / job_folder.CT_VOXELS).write_bytes(np.ascontiguousarray(array, np.int16).tobytes())
    matrix = AXIAL.ravel().tolist()
    return read_transferred(
        folder, CtHeader("1", list(array.shape), "int16", matrix, dicom_files=list(map(str, files)))
    )


def pixels_of(files: list[Path]) -> np.ndarray:
    """HU of the files in their order, (k, j, i), read by pydicom."""
    datasets = [pydicom.dcmread(path) for path in files]
    return np.stack(
        [data.pixel_array * float(data.RescaleSlope) + float(data.RescaleIntercept) for data in datasets]
    ).astype(np.int16)
