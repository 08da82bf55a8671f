"""A CT series and a structure on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rtstruct_changes import Change, Reading
from rtstruct_support import hollow_ball, reference_on
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceSeries:
    return reference_on(tmp_path / "ct")


@pytest.fixture
def shell() -> np.ndarray:
    return hollow_ball()


@pytest.fixture
def read(tmp_path: Path, reference: ReferenceSeries) -> Callable[[Change], Reading]:
    """Reads a structure set of three balls after a change."""
    return lambda change: Reading(tmp_path, reference, change)
