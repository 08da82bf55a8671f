"""What a command or a worker's job reports where an error was not foreseen."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorWire import disk_space


def test_a_full_disk_is_reported_with_its_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _folder: SimpleNamespace(free=3_000_000))
    problem = problem_of(OSError(errno.ENOSPC, "No space left on device"), tmp_path)
    assert problem.code == "DISK_FULL"
    assert problem.values["free_mb"] == 3.0 < problem.values["needed_mb"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.EIO, "Input/output error"), "INTERNAL_ERROR"),
        (ModuleNotFoundError(name="torch"), "ENGINE_MISSING"),
        (KeyboardInterrupt(), "CANCELLED"),
        (ValueError("/data/Smith"), "INTERNAL_ERROR"),
    ],
)
def test_an_error_becomes_a_code(tmp_path: Path, error: BaseException, code: str) -> None:
    assert problem_of(error, tmp_path).code == code
