"""Somebody who installs; what needs the desktop is imported late, so that tests without it can be collected."""

from __future__ import annotations

import pytest


@pytest.fixture
def installer(user):
    from setup_user import SetupUser

    return SetupUser(user)


@pytest.fixture
def orders(user, monkeypatch):
    """Orders that reached the session, which does not start them."""
    from TotalSegmentatorModuleLib.segment.session import SegmentationSession

    reached = []
    monkeypatch.setattr(SegmentationSession, "apply", lambda _session, order: reached.append(order))
    return reached


@pytest.fixture
def without_engine(monkeypatch):
    """Neither Slicer's Python nor the set-up has packages."""
    from TotalSegmentatorModuleLib.background import installed_engine

    monkeypatch.setattr(installed_engine, "has_own_packages", lambda: False)
