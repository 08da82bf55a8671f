"""docs/command-line.md is what the parsers say."""

from __future__ import annotations

import pytest
from make_command_line_page import PAGE, command_line_page


@pytest.mark.parametrize("columns", ["40", "200"])
def test_the_committed_page_is_what_the_parsers_make(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert PAGE.read_text(encoding="utf-8") == command_line_page(), "run Testing/make_command_line_page.py"


def test_per_cent_signs_are_not_doubled_as_the_parsers_need_them() -> None:
    assert "99.5 % of" in command_line_page()
    assert "%%" not in command_line_page()
