"""Somebody in front of the panel who uses the queue; what needs the desktop is imported late."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture
def work_folder(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def queue_user(app, monkeypatch, work_folder):
    """Opens the panel; ``queue_user()`` may be called when everything else is prepared."""
    import panel_support
    from queue_support import QueueUser
    from recovery_support import use_work_folder

    monkeypatch.setattr(panel_support, "PanelUser", QueueUser)
    with contextlib.ExitStack() as stack:

        def open_panel(engine=None):
            use_work_folder(work_folder)
            user = stack.enter_context(panel_support.panel_user(app, monkeypatch, engine))
            user.open_queue()
            return user

        yield open_panel
