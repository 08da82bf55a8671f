"""A CT series with a segmentation on it."""

from __future__ import annotations

from pathlib import Path

import pytest
from export_case import Case


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)
