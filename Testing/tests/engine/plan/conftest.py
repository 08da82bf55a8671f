"""A tiny catalogue model of five parts and a CT, which tests of plans and of memory share."""

from __future__ import annotations

from pathlib import Path

import pytest
from catalogue_jobs import MODEL
from engine_support import blobs_volume
from seeded_models import make_catalogue_model
from TotalSegmentatorEngine.imaging.geometry import Volume


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    make_catalogue_model(folder, MODEL)
    return folder


@pytest.fixture(scope="module")
def volume() -> Volume:
    return blobs_volume((20, 24, 22), (2.4, 2.0, 1.9))


@pytest.fixture(autouse=True)
def _processor_without_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else plans would differ from one processor to another: what may run in reduced precision needs memory for it."""
    monkeypatch.setattr("TotalSegmentatorEngine.plan.automatic_precision.has_bf16", lambda: False)
