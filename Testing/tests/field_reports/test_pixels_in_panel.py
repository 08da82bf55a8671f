"""The same reports as in test_pixels_and_positions.py, by clicking Apply: Slicer's volume, the real worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.shared, pytest.mark.slow]  # the worker imports torch, some seconds


@pytest.fixture(scope="module")
def apply(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """Loads the CT of a report in the desktop and clicks Apply; gives the panel's user."""
    from panel_support import PanelUser, desktop
    from seeded_models import make_model_folder

    model = make_model_folder(tmp_path_factory.mktemp("models") / "Dataset900_Seeded")
    with desktop() as app:
        user = PanelUser(app, "")
        user.choose_model_folder(str(model))

        def load_and_apply(report: int) -> PanelUser:
            app.close_scene()
            app.load_dicom_series(shared / "data" / "field_reports" / str(report) / "ct")
            app.process_events()
            user.choose_model_folder(str(model))
            user.click_apply()
            user.wait_until_ready(120)
            return user

        yield load_and_apply


@pytest.mark.parametrize(
    ("report", "code", "named"),
    [(6, "INPUT_UNREADABLE", "CT03.dcm"), (18, "INPUT_RESCALE_MISSING", "CT03.dcm")],
)
def test_a_slice_that_slicer_reads_wrongly_is_refused_by_name(apply, report: int, code: str, named: str) -> None:
    user = apply(report)
    assert user.error_code == code, user.describe()
    assert named in user.ui.messages.errorWhatLabel.text
    assert user.segmentations == []


@pytest.mark.parametrize("report", [1, 11])
def test_padding_and_rounded_positions_are_no_obstacle(apply, report: int) -> None:
    user = apply(report)
    assert user.error_code == "", user.describe()
    assert len(user.segmentations) == 1
    assert "IMPLAUSIBLE_HU" not in user.ui.log.textEdit.toPlainText()
    if report == 1:
        assert "voxels of pixel padding became air" in user.ui.log.textEdit.toPlainText()
