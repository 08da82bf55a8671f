"""What the panel's Compare section shows of a structure set of others in which something is wrong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PySide6", reason="the stand-in desktop needs PySide6")
pytest.importorskip("slicer", reason="the stand-in desktop needs the wheel slicer-core")

import slicer
from export_user import CompareUser
from job_support import MARK
from TotalSegmentatorModuleLib.background.engine_environment import EngineEnvironment


@pytest.mark.shared
@pytest.mark.slow  # a process that imports NumPy, SciPy and pydicom
def test_structures_that_were_left_out_are_named_report_9(user, shared: Path, tmp_path: Path, monkeypatch):
    from TotalSegmentatorModuleLib.background import installed_engine

    comparer = CompareUser(user, tmp_path)
    environment = EngineEnvironment(sys.executable, {**os.environ, MARK: user.mark})
    monkeypatch.setattr(installed_engine, "engine_environment", lambda: environment)
    report = shared / "data" / "field_reports" / "9"
    ct = comparer.app.load_dicom_series(report / "ct")
    labels = np.zeros(slicer.util.arrayFromVolume(ct).shape, np.uint8)
    labels[1:4, 8:15, 6:10] = 1
    comparer.add_result(ct, labels, digest="")
    comparer.open_section()
    comparer.choose_file(report / "rs_couch.dcm")
    comparer.compare(240.0)

    assert comparer.error_code == "", comparer.describe()
    said = comparer.task_ui.warningLabel.text
    assert said.startswith("Structures that extend beyond the CT were left out: CouchSurface.")
    assert "CouchSurface" not in comparer.ui.log.textEdit.toPlainText()
