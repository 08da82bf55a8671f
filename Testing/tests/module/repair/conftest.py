"""Somebody who repairs what the review remarks on; what needs the desktop is imported late."""

from __future__ import annotations

import os
import sys

import pytest


@pytest.fixture
def reviewer(user):
    from review_support import ReviewUser

    return ReviewUser(user)


@pytest.fixture
def mender(user, monkeypatch):
    """For whom the real program works."""
    from job_support import MARK
    from repair_support import RepairUser
    from TotalSegmentatorModuleLib.background import installed_engine
    from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment

    environment = EngineEnvironment(sys.executable, {**os.environ, MARK: user.mark})
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: environment)
    return RepairUser(user)
