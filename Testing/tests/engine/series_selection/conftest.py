"""The command ``segment`` without networks."""

from __future__ import annotations

from pathlib import Path

import pytest
from series_support import SegmentCommand


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> SegmentCommand:
    return SegmentCommand(tmp_path, monkeypatch, capsys)
