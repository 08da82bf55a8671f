"""Where a user's files are, by each system's custom."""

from __future__ import annotations

import os
import sys

import pytest
from TotalSegmentatorWire.user_folders import cache_folder


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"TOTALSEGMENTATOR_CACHE": "/somewhere", "XDG_CACHE_HOME": "/xdg"}, "/somewhere"),
        ("linux", {"XDG_CACHE_HOME": "/xdg"}, "/xdg/TotalSegmentatorModule"),
        ("linux", {"HOME": "/houses/a"}, "/houses/a/.cache/TotalSegmentatorModule"),
        ("darwin", {"HOME": "/Users/a"}, "/Users/a/Library/Caches/TotalSegmentatorModule"),
        ("win32", {"LOCALAPPDATA": "/local"}, "/local/TotalSegmentatorModule/cache"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="Path.home asks Windows itself")
def test_each_system_has_its_folder_of_measurements(
    monkeypatch: pytest.MonkeyPatch, platform: str, variables: dict[str, str], expected: str
) -> None:
    for name in ("TOTALSEGMENTATOR_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_folder().as_posix() == expected


def test_the_tests_keep_out_of_the_users_folder(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert cache_folder().is_relative_to(tmp_path_factory.getbasetemp())
