"""Public fault reports about image files: two transforms, wrong Hounsfield units, metres in place of millimetres.

Each through the command line, and through the panel's route: voxels and grid from Slicer's reader, which is ITK's.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import ct_variants
import nibabel
import numpy as np
import pytest
import SimpleITK
from command_line_support import FakeModel
from one_model import model_result
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.ct_input.reading import ReadInput, read_transferred
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorWire import job_folder
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.plan import SEGMENTATION, Plan, PlannedPass
from TotalSegmentatorWire.messages.segment import CtHeader

PLAN = Plan(
    models=["fake"],
    profiles={"fake": "nnunet"},
    device="cpu",
    runtime="openvino",
    precision="exact",
    passes=[PlannedPass("part", SEGMENTATION, [9, 9, 9], False, 4, 60.0)],
    seconds=60.0,
    peak_bytes=10**9,
    available_bytes=None,
)


class PreparedModel(FakeModel):
    warnings = ()


class Segmented:
    """Runs ``segment`` with a stand-in for the networks; keeps the CT that they saw."""

    def __init__(self, output: Path) -> None:
        self.volume: Volume | None = None
        self.plan = PLAN
        self._output = output

    def __call__(self, path: Path, *arguments: str) -> int:
        self.volume = None
        return main(["segment", str(path), str(self._output), "--model", "m", *arguments])

    def segment(self, volume, prepared, _cache, reporter, on_preview=None) -> SegmentationResult:
        self.volume = volume
        reporter.plan(self.plan)
        labels = np.zeros(volume.array.shape, np.uint8)
        options = JobOptions(runtime="openvino", precision="exact")
        return model_result(labels, prepared.structures, [], ["spleen"], options=options)


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Segmented:
    runner = Segmented(tmp_path / "out.nii.gz")
    monkeypatch.setattr(run_job, "prepare", PreparedModel)
    monkeypatch.setattr(run_job, "prefetch_weights", lambda prepared, cache: None)
    monkeypatch.setattr(run_job, "segment", runner.segment)
    monkeypatch.setattr(run_job, "plan", lambda volume, prepared: runner.plan)
    return runner


def as_slicer_sends(path: Path, job: Path) -> ReadInput:
    image = SimpleITK.ReadImage(str(path))
    array = SimpleITK.GetArrayFromImage(image)
    to_lps = np.eye(4)
    to_lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    to_lps[:3, 3] = image.GetOrigin()
    job.mkdir(parents=True, exist_ok=True)
    (job / job_folder.CT_VOXELS).write_bytes(array.tobytes())
    matrix = (np.diag([-1.0, -1.0, 1.0, 1.0]) @ to_lps).ravel().tolist()
    return read_transferred(job, CtHeader("1", list(array.shape), array.dtype.name, matrix))


# -- two transforms ----------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "warning"),
    [("step_differs", "NIFTI_TRANSFORMS_DIFFER"), ("nothing_stated", "NIFTI_NO_ORIENTATION")],
)
def test_the_grid_is_slicers_with_a_warning_report_7(
    shared: Path, tmp_path: Path, segmented: Segmented, capsys: pytest.CaptureFixture, name: str, warning: str
) -> None:
    path = shared / "data" / "field_reports" / "7" / f"{name}.nii.gz"
    assert segmented(path) == 0
    printed = capsys.readouterr().err
    assert f"warning {warning}" in printed
    assert "WARNING: In" not in printed and str(path.parent) not in printed
    sent = as_slicer_sends(path, tmp_path / "job").volume
    np.testing.assert_allclose(segmented.volume.geometry.ijk_to_ras, sent.geometry.ijk_to_ras, atol=1e-4)
    np.testing.assert_array_equal(segmented.volume.array, sent.array)


def two_transforms(path: Path, sform: np.ndarray, qform: np.ndarray, codes: tuple[int, int]) -> Path:
    """A small CT whose header states both; pixdim is the qform's."""
    array = np.full((20, 24, 28), -1000, np.int16)
    array[4:16, 4:20, 4:24] = 40
    image = nibabel.Nifti1Image(array.T, None)
    image.header.set_qform(qform, code=codes[1])
    image.header.set_sform(sform, code=codes[0])
    nibabel.Nifti1Image(array.T, None, image.header).to_filename(path)
    return path


def spaced(
    x: float, y: float, z: float, degrees: float = 0.0, origin: tuple[float, ...] = (-20, 30, 100)
) -> np.ndarray:
    matrix = np.diag([x, y, z, 1.0])
    matrix[:3, 3] = origin
    return ct_variants.turned(matrix, degrees)


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (4, 1), (1, 2), (1, 0), (0, 1), (0, 0)])
@pytest.mark.parametrize(
    "sform",
    [spaced(1, 1, 2), spaced(1, 1, 2.5), spaced(1, 1, 2, 5), spaced(1, 1, 2, 0, (-25, 30, 100)), spaced(1, 1, 2, 0.01)],
    ids=["alike", "other step", "turned", "moved", "rounded"],
)
def test_every_choice_between_two_transforms_is_slicers(tmp_path: Path, segmented, codes, sform, capsys) -> None:
    path = two_transforms(tmp_path / "ct.nii.gz", sform, spaced(1, 1, 2), codes)
    assert segmented(path) == 0
    sent = as_slicer_sends(path, tmp_path / "job").volume
    np.testing.assert_allclose(segmented.volume.geometry.ijk_to_ras, sent.geometry.ijk_to_ras, atol=1e-3)
    differ = not np.allclose(sform, spaced(1, 1, 2), atol=1e-3) and codes[0] > 0 and (codes[1] > 0 or sform[2, 2] > 2.1)
    printed = capsys.readouterr().err
    assert ("NIFTI_TRANSFORMS_DIFFER" in printed) == differ
    assert ("NIFTI_NO_ORIENTATION" in printed) == (codes == (0, 0))


def test_the_difference_is_said_in_mm(tmp_path: Path, segmented, capsys) -> None:
    path = two_transforms(tmp_path / "ct.nii.gz", spaced(1, 1, 2, 0, (-25, 30, 100)), spaced(1, 1, 2), (2, 1))
    assert segmented(path) == 0
    assert "differ by up to 5.0 mm" in capsys.readouterr().err


def test_mirrored_transforms_are_refused(tmp_path: Path, segmented, capsys) -> None:
    path = two_transforms(tmp_path / "ct.nii.gz", spaced(-1, 1, 2), spaced(1, 1, 2), (1, 1))
    assert segmented(path) == 97
    assert segmented.volume is None


# -- Hounsfield units --------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("name", ["intercept_twice", "slope_twice", "inverted"])
def test_other_scales_are_warned_of_report_8(
    shared: Path, tmp_path: Path, segmented: Segmented, capsys: pytest.CaptureFixture, name: str
) -> None:
    path = shared / "data" / "field_reports" / "8" / f"{name}.nii.gz"
    assert segmented(path) == 0
    assert "warning HU_SCALE: The voxel values do not look like Hounsfield units" in capsys.readouterr().err
    assert [warning.code for warning in as_slicer_sends(path, tmp_path / "job").warnings] == ["HU_SCALE"]


# -- size --------------------------------------------------------------------------------------------------------------


def sized(path: Path, spacing: tuple[float, float, float], shape: tuple[int, int, int] = (30, 40, 50)) -> Path:
    array = np.full(shape, -1000, np.int16)
    array[3:-3, 3:-3, 3:-3] = 40
    return ct_variants.write_image(path, array, np.diag([*spacing, 1.0]))


@pytest.mark.parametrize(
    "spacing",
    [(0.0008, 0.0008, 0.002), (0.8, 0.8, 0.001), (12, 12, 3), (800, 800, 2000), (0.3, 0.3, 0.3), (1, 1, 80)],
    ids=["metres", "a step in metres", "coarse", "micrometres", "a small field of view", "long"],
)
def test_an_unlikely_size_is_asked_about(tmp_path: Path, segmented: Segmented, spacing, capsys) -> None:
    path = sized(tmp_path / "ct.nrrd", spacing)
    assert segmented(path) == 98
    printed = capsys.readouterr().err
    assert "metres in place of mm?" in printed and "--accept-size" in printed
    assert segmented.volume is None
    assert main(["plan", str(path), "--model", "m"]) == 98
    assert segmented(path, "--accept-size") == 0
    assert segmented.volume is not None
    assert main(["plan", str(path), "--model", "m", "--accept-size"]) == 0


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [((0.7, 0.7, 20), (5, 60, 60)), ((0.7, 0.7, 1), (3, 60, 60)), ((5, 5, 5), (400, 40, 40)), ((1, 4, 4), (9, 9, 50))],
    ids=["thick slices", "a thin slab", "two metres", "sagittal slices"],
)
def test_thin_slabs_and_long_scans_have_no_unlikely_size(tmp_path: Path, segmented, spacing, shape) -> None:
    assert segmented(sized(tmp_path / "ct.nrrd", spacing, shape)) == 0


# -- long jobs ---------------------------------------------------------------------------------------------------------


def test_a_plan_of_more_than_an_hour_is_said_before_the_job(tmp_path: Path, segmented: Segmented, capsys) -> None:
    path = sized(tmp_path / "ct.nrrd", (1, 1, 2))
    segmented.plan = dataclasses.replace(PLAN, seconds=4800.0)
    assert segmented(path) == 0
    printed = capsys.readouterr().err
    assert "plan: 4 tiles in 1 network, about 1 h 20 min" in printed
    assert printed.count("warning LONG_JOB: This job will take long: about 1 h 20 min on this computer.") == 1
    assert main(["plan", str(path), "--model", "m"]) == 0
    assert "warning LONG_JOB" in capsys.readouterr().err
    segmented.plan = PLAN
    assert segmented(path) == 0
    assert "LONG_JOB" not in capsys.readouterr().err
