"""A bench for the command ``batch``."""

from __future__ import annotations

from pathlib import Path

import pytest
from batch_bench import BatchBench, make_bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> BatchBench:
    return make_bench(tmp_path, monkeypatch, capsys)
