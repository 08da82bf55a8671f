"""Where the user has packages of their own and named their folder, no others are planned or installed."""

from __future__ import annotations

from pathlib import Path

import pytest
from TotalSegmentatorSetup.install.installation import Installation
from TotalSegmentatorSetup.install.options import InstallOptions
from TotalSegmentatorSetup.packages import bootstrap
from TotalSegmentatorSetup.packages.engine_program import PACKAGES_VARIABLE


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> InstallOptions:
    """A computer without packages, and a model that is not installed."""
    from TotalSegmentatorSetup.install import installation

    monkeypatch.setattr(installation, "has_own_packages", lambda: False)
    monkeypatch.setattr(bootstrap, "has_own_packages", lambda: False)
    monkeypatch.delenv(PACKAGES_VARIABLE, raising=False)
    return InstallOptions(["117-3mm"], models_folder=tmp_path / "models", engines_folder=tmp_path / "engine")


def missing(options: InstallOptions) -> list[str]:
    return [item["kind"] for item in Installation(options).plan()["items"] if not item["installed"]]


def test_packages_are_planned_where_there_are_none(options):
    assert missing(options) == ["engine", "model"]


def test_chosen_packages_are_the_engine(options, tmp_path, monkeypatch):
    monkeypatch.setenv(PACKAGES_VARIABLE, str(tmp_path / "own"))

    assert missing(options) == ["model"]
    assert Installation(options).engine_program().packages_folder == tmp_path / "own"
