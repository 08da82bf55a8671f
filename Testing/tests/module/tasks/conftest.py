"""A CT and a segmentation; what needs the desktop is imported late, so that tests without it can be collected."""

from __future__ import annotations

import pytest


@pytest.fixture
def scene(app, tmp_path):
    from transfer_scene import Scene

    return Scene(app, tmp_path)
