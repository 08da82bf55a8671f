"""Slicers that share a work folder; what needs the desktop is imported late."""

from __future__ import annotations

import pytest


@pytest.fixture
def work_folder(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def slicer_user(app, monkeypatch, work_folder):
    """Opens the panel; ``slicer_user()`` may be called when everything else is prepared. Reviews are saved sooner than
    they usually are."""
    import contextlib

    from panel_support import panel_user
    from recovery_support import use_work_folder
    from TotalSegmentatorModuleLib.recovery import autosave

    monkeypatch.setattr(autosave, "LOOK_MS", 100)
    with contextlib.ExitStack() as stack:

        def open_panel():
            use_work_folder(work_folder)
            return stack.enter_context(panel_user(app, monkeypatch))

        yield open_panel
