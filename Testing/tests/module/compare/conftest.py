"""Somebody in the Compare section."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

from export_support import write_ct_series
from export_user import SHAPE, CompareUser
from TotalSegmentatorEngine.imaging.geometry import Geometry


@pytest.fixture
def comparer(user, tmp_path, monkeypatch):
    from TotalSegmentatorModuleLib.background import installed_engine

    somebody = CompareUser(user, tmp_path)
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: somebody.environment)
    return somebody


@pytest.fixture
def on_series(comparer, tmp_path):
    """With a result on a CT from DICOM and the section open."""
    geometry = Geometry(SHAPE, np.diag([-0.8, -0.8, 2.5, 1.0]))
    uid = "1.2.826.0.1.7"  # with one more digit it is another's
    folder = write_ct_series(tmp_path / "series", np.zeros(SHAPE, np.int16), geometry, SeriesInstanceUID=uid)
    comparer.ct = comparer.app.load_dicom_series(folder)
    comparer.node = comparer.add_result(comparer.ct)
    comparer.open_section()
    return comparer


@pytest.fixture
def ready(on_series, tmp_path):
    """The same with a file chosen."""
    on_series.theirs = tmp_path / "RS of the department.dcm"
    on_series.theirs.write_bytes(b"theirs")
    on_series.choose_file(on_series.theirs)
    return on_series
