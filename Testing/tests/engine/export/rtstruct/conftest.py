"""A CT series and a structure on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rtstruct_support import hollow_ball, reference_on
from TotalSegmentatorEngine.export.dicom.reference_series import ReferenceSeries


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceSeries:
    return reference_on(tmp_path / "ct")


@pytest.fixture
def shell() -> np.ndarray:
    return hollow_ball()
