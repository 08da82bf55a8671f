"""The lines about kept edits: off at first, passed on with a review sheet, shown in a browser, deleted at will."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from TotalSegmentatorEngine.export.edits.table import EditRow, add_edits
from TotalSegmentatorWire.edits_file import edits_file


@pytest.fixture(autouse=True)
def advanced(ready):
    """The section with the boxes and buttons."""
    ready.user.ui.advanced.collapsibleButton.collapsed = False


@pytest.fixture
def kept(ready) -> Path:
    """In the folder of the user whom ``ready`` has made."""
    row = EditRow("2026-05", "0a1b2c3d", "104-1.5mm", "0.1.0", "liver", "approved", True, 0.9, 1500.0, -3.0, 120.0)
    add_edits(edits_file(), [row])
    return edits_file()


def test_edits_are_off_at_first_and_stay_on_once_chosen(ready):
    from TotalSegmentatorModuleLib import settings

    ui = ready.user.ui.review_edits
    assert not ui.editsCheckBox.checked and not ui.showEditsButton.visible and not ui.deleteEditsButton.visible
    assert not settings.is_on(settings.REVIEW_EDITS)
    ready.app.click(ui.editsCheckBox)
    assert settings.is_on(settings.REVIEW_EDITS)
    ready.app.click(ui.editsCheckBox)
    assert not settings.is_on(settings.REVIEW_EDITS)
    ready.app.click(ui.editsCheckBox)
    ready.user.widget = ready.app.reload_module()
    assert ready.user.ui.review_edits.editsCheckBox.checked


def test_the_report_opens_in_the_browser_and_deleting_asks(ready, kept: Path, answers, monkeypatch):
    import qt

    opened: list[str] = []
    monkeypatch.setattr(qt.QDesktopServices, "openUrl", lambda url: not opened.append(url.toLocalFile()))
    ready.app.leave_module()
    ready.app.enter_module()
    ui = ready.user.ui.review_edits
    assert ui.showEditsButton.visible
    ready.app.click(ui.showEditsButton)
    assert not ui.showEditsButton.enabled
    ready.wait(lambda: opened or "report" not in ui.editsLabel.text)
    assert opened == [str(kept.with_suffix(".html"))], ui.editsLabel.text
    assert "liver" in Path(opened[0]).read_text(encoding="utf-8")
    answers[:] = [False, True]
    ready.app.click(ui.deleteEditsButton)
    assert kept.exists()
    ready.app.click(ui.deleteEditsButton)
    assert list(kept.parent.glob("review-edits*")) == []
    assert not ui.showEditsButton.visible and not ui.deleteEditsButton.visible


def test_a_failure_is_said_in_words(ready, kept: Path):
    kept.write_text("no table\n1\n", encoding="utf-8")
    ready.app.leave_module()
    ready.app.enter_module()
    ui = ready.user.ui.review_edits
    ready.app.click(ui.showEditsButton)
    ready.wait(lambda: "damaged" in ui.editsLabel.text)
    assert "edits --delete" in ui.editsLabel.text
