"""What several tests of the engine share; torch is imported late, as most of them need none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from TotalSegmentatorWire.user_folders import CACHE_VARIABLE


@pytest.fixture
def one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Threads only wait for each other on images as small as these, and long if the machine is busy."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr("TotalSegmentatorEngine.pipeline.segmentation.use_physical_cores", lambda: 1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def fresh_measurements(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which nothing was measured yet."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "measurements"))
