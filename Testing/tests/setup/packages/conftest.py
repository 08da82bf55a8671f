"""A store of engine packages, its wheels on a server of this machine, and stand-ins for what is slow."""

from __future__ import annotations

import os

import pytest
from package_bench import WORKS, Bench, FirstTest, QuickPip
from tiny_wheels import (
    running_index,
)
from TotalSegmentatorSetup.packages import package_store


@pytest.fixture(autouse=True)
def without_settings_of_this_machine(monkeypatch):
    """pip asks nothing but what the test serves, at once."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def first_test(monkeypatch) -> type[FirstTest]:
    monkeypatch.setattr(package_store, "EngineProgram", FirstTest)
    monkeypatch.setattr(FirstTest, "answer", WORKS)
    return FirstTest


@pytest.fixture
def quick(monkeypatch) -> None:
    monkeypatch.setattr(package_store, "Pip", QuickPip)


@pytest.fixture
def bench(tmp_path, first_test) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def index(bench):
    with running_index(bench.wheels) as running:
        yield running
