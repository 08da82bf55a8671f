"""Public fault reports about the pixels and positions of a CT series: nothing of it is segmented wrongly in silence.

Each through the command line, and through the panel's route: voxels from Slicer's reader, with the series' files.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line_support import FakeModel
from one_model import model_result
from slicer_route import read_as_slicer_sends
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.task import SegmentationResult
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorWire.errors.problem import ERRORS, SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions

pytestmark = pytest.mark.shared

AIR_HU = -1024


@pytest.fixture
def reports(shared: Path) -> Path:
    return shared / "data" / "field_reports"


@pytest.fixture
def segmented(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Runs ``segment`` on a folder with a stand-in for the networks; gives the exit status and the CT they saw."""
    seen: list[Volume] = []

    def segment(volume, prepared, cache, reporter, on_preview=None) -> SegmentationResult:
        seen.append(volume)
        labels = np.zeros(volume.array.shape, np.uint8)
        options = JobOptions(runtime="openvino", precision="exact")
        return model_result(labels, prepared.structures, [], ["spleen"], options=options)

    monkeypatch.setattr(run_job, "prepare", FakeModel)
    monkeypatch.setattr(run_job, "prefetch_weights", lambda prepared, cache: None)
    monkeypatch.setattr(run_job, "segment", segment)

    def run(folder: Path) -> tuple[int, Volume | None]:
        status = main(["segment", str(folder), str(tmp_path / "out.nii.gz"), "--model", "m"])
        return status, seen[-1] if seen else None

    return run


def code_of_transferred(series: Path, job: Path) -> str:
    with pytest.raises(SegmentationError) as caught:
        read_as_slicer_sends(series, job)
    return caught.value.code


def test_padding_outside_the_scan_field_becomes_air_report_1(reports: Path, tmp_path: Path, segmented):
    status, volume = segmented(reports / "1" / "ct")
    read = read_as_slicer_sends(reports / "1" / "ct", tmp_path / "job")
    assert status == 0 and read.warnings == []
    for array in (volume.array, read.volume.array):
        assert (array.min(), array.dtype) == (AIR_HU, np.int16)
        assert 1000 < array.max() < 3072
        assert (array[:, 0, 0] == AIR_HU).all()


def test_a_slice_with_half_of_its_pixels_is_refused_by_name_report_6(
    reports: Path, tmp_path: Path, segmented, capsys: pytest.CaptureFixture
):
    status, _ = segmented(reports / "6" / "ct")
    assert status == ERRORS["INPUT_UNREADABLE"].exit_code
    assert "CT03.dcm" in capsys.readouterr().err
    assert code_of_transferred(reports / "6" / "ct", tmp_path / "job") == "INPUT_UNREADABLE"


def test_positions_rounded_to_a_tenth_of_a_millimetre_are_a_regular_grid_report_11(
    reports: Path, tmp_path: Path, segmented
):
    status, volume = segmented(reports / "11" / "ct")
    assert status == 0
    assert volume.geometry.spacing == pytest.approx((2, 2, 0.625), abs=1e-6)
    read = read_as_slicer_sends(reports / "11" / "ct", tmp_path / "job")
    assert read.volume.geometry.spacing == pytest.approx((2, 2, 0.63), abs=0.03)  # Slicer's grid is kept


def test_a_slice_without_rescale_intercept_is_refused_by_name_report_18(
    reports: Path, tmp_path: Path, segmented, capsys: pytest.CaptureFixture
):
    status, _ = segmented(reports / "18" / "ct")
    assert status == ERRORS["INPUT_RESCALE_MISSING"].exit_code
    assert "CT03.dcm" in capsys.readouterr().err
    assert code_of_transferred(reports / "18" / "ct", tmp_path / "job") == "INPUT_RESCALE_MISSING"
