"""A CT of many values with a segmentation, and a measurement report of it with its SEG: written once, for reading."""

from __future__ import annotations

from pathlib import Path

import pytest
from report_support import REPORT, ReportCase


@pytest.fixture(scope="package")
def case(tmp_path_factory) -> ReportCase:
    return ReportCase(tmp_path_factory.mktemp("reports"))


@pytest.fixture(scope="package")
def exported(case: ReportCase, tmp_path_factory) -> Path:
    """The folder of REPORT and SEG."""
    folder = tmp_path_factory.mktemp("exported")
    assert case.run("--to", "sr", folder / REPORT) == 0
    return folder
