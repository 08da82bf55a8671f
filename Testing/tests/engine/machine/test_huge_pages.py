"""The engine's program asks for huge pages by starting once more, and is the same program then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from places import MODULE_FOLDER
from TotalSegmentatorEngine.machine import huge_pages
from TotalSegmentatorEngine.machine.huge_pages import restart_with_huge_pages

VARIABLE = "GLIBC_TUNABLES"
PROGRAM = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from TotalSegmentatorEngine.machine import huge_pages
huge_pages.STATE_FILE = sys.argv[2]
with Path(sys.argv[3]).open("a") as stream:
    print(json.dumps([os.getpid(), sys.argv, os.environ.get("GLIBC_TUNABLES")]), file=stream)
huge_pages.restart_with_huge_pages()
print("done", sys.stdin.read())
"""

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's own files and variables")


def starts(tmp_path: Path, state: str | None, tunables: str | None = None) -> list[list[object]]:
    """What each start of a program noted that asks for huge pages, on a machine with this state of them."""
    program, state_file, notes = tmp_path / "a program.py", tmp_path / "enabled", tmp_path / "notes"
    program.write_text(PROGRAM, encoding="ascii")
    if state is not None:
        state_file.write_text(state + "\n", encoding="ascii")
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    if tunables is not None:
        environment[VARIABLE] = tunables
    command = [sys.executable, str(program), str(MODULE_FOLDER), str(state_file), str(notes), "two words"]
    process = subprocess.run(command, env=environment, input="given", capture_output=True, text=True, check=True)
    assert process.stdout.split() == ["done", "given"], "its work is done once, with what it was given"
    return [json.loads(line) for line in notes.read_text(encoding="ascii").splitlines()]


@on_linux
def test_it_starts_once_more_as_the_same_process_with_the_same_arguments(tmp_path: Path) -> None:
    first, second = starts(tmp_path, "always [madvise] never")
    assert first[:2] == second[:2]
    assert first[1][-1] == "two words"
    assert [first[2], second[2]] == [None, "glibc.malloc.hugetlb=1"]


@on_linux
def test_other_tunables_are_kept(tmp_path: Path) -> None:
    assert starts(tmp_path, "always [madvise] never", "glibc.malloc.check=1")[-1][2] == (
        "glibc.malloc.check=1:glibc.malloc.hugetlb=1"
    )


@on_linux
@pytest.mark.parametrize(
    ("state", "tunables"),
    [
        ("[always] madvise never", None),
        ("always madvise [never]", None),
        (None, None),
        ("always [madvise] never", "glibc.malloc.hugetlb=0"),
    ],
)
def test_it_does_not_where_there_is_nothing_to_gain(tmp_path: Path, state: str | None, tunables: str | None) -> None:
    assert len(starts(tmp_path, state, tunables)) == 1


def test_it_goes_on_where_it_cannot_be_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = tmp_path / "enabled"
    state.write_text("[madvise]", encoding="ascii")
    monkeypatch.setattr(huge_pages, "STATE_FILE", str(state))
    monkeypatch.setattr(huge_pages, "OWN_PROGRAM", str(tmp_path / "no such program"))
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv(VARIABLE, "")  # so that it is taken back what the call sets
    assert restart_with_huge_pages() is None
