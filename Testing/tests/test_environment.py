"""How the environment of demo and tests is made."""

from __future__ import annotations

import subprocess
from pathlib import Path

import environment
import pytest


@pytest.fixture
def pip_calls(monkeypatch) -> list[list[str]]:
    """Arguments of each call of pip; a call that names an index fails, as without a way to it."""
    calls: list[list[str]] = []

    def run(command, **_options):
        calls.append([str(word) for word in command])
        return subprocess.CompletedProcess(command, int("--index-url" in command), "", "no such host")

    monkeypatch.setattr(environment.subprocess, "run", run)
    return calls


def test_torch_comes_with_its_libraries_where_pytorchs_index_cannot_be_reached(pip_calls):
    """The build for CUDA, which other sources may give, cannot be imported without them."""
    environment.install_torch(Path("python"))

    own_index, other_sources = pip_calls
    assert "https://download.pytorch.org/whl/cpu" in own_index and "--no-deps" in own_index
    assert "--no-deps" not in other_sources
    assert Path(other_sources[other_sources.index("-c") + 1]) == environment.PINS[0]


def test_what_is_missing_is_one_line_with_its_command(monkeypatch):
    def load(library):
        if library == "libEGL.so.1":
            raise OSError

    monkeypatch.setattr(environment.sys, "platform", "linux")
    monkeypatch.setattr(environment.ctypes, "CDLL", load)
    with pytest.raises(environment.SetupError, match=r"^[^\n]*apt-get install -y libegl1$"):
        environment.check_system_libraries()
