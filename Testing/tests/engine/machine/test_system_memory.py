"""What the machine has, what limits leave of it, and what this process holds."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from places import MODULE_FOLDER, TESTING
from TotalSegmentatorEngine.machine import memory as system_memory
from TotalSegmentatorEngine.machine.memory import available_memory, installed_memory, resident_memory
from TotalSegmentatorWire.errors.problem import ERRORS

MIB, GIB = 1024**2, 1024**3
UNLIMITED_V1 = 9223372036854771712

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux's own files and limits")


class FakeLinux:
    """The files in which Linux states limits, of which there are none; a machine with 8 GB free."""

    def __init__(self, root: Path) -> None:
        self.proc, self.cgroups = root / "proc", root / "cgroup"
        self.write(self.proc / "self" / "status", "VmSize: 3072 kB\nVmData: 1 kB\n")

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def is_in(self, *lines: str) -> None:
        """The cgroups of this process, a line each as in /proc/self/cgroup."""
        self.write(self.proc / "self" / "cgroup", "".join(line + "\n" for line in lines))

    def cgroup(self, folder: str, **files: object) -> None:
        for name, content in files.items():
            self.write(self.cgroups / folder / name.replace("memory_", "memory."), f"{content}\n")


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeLinux:
    fake = FakeLinux(tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * GIB, available=8 * GIB))
    monkeypatch.setattr(system_memory, "PROC", fake.proc)
    monkeypatch.setattr(system_memory, "CGROUPS", fake.cgroups)
    monkeypatch.setattr(system_memory.sys, "platform", "linux")
    monkeypatch.setattr("resource.getrlimit", lambda _kind: (-1, -1), raising=False)  # RLIM_INFINITY
    return fake


# -- what the machine has ----------------------------------------------------------------------------------------------


def test_this_machine_has_memory() -> None:
    assert 64 * MIB < available_memory() <= installed_memory()
    assert MIB < resident_memory() < installed_memory()


@pytest.mark.parametrize("error", [OSError(), psutil.Error(), NotImplementedError()])
def test_a_system_that_does_not_say_is_no_failure(
    linux: FakeLinux, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse() -> None:
        raise error

    monkeypatch.setattr(psutil, "virtual_memory", refuse)
    monkeypatch.setattr(psutil, "Process", refuse)
    assert (available_memory(), installed_memory(), resident_memory()) == (None,) * 3


# -- cgroups -----------------------------------------------------------------------------------------------------------


def test_a_limit_counts_less_what_is_used_and_cannot_be_given_up(linux: FakeLinux) -> None:
    linux.is_in("0::/user/job")
    linux.cgroup("user/job", memory_max=4 * GIB, memory_current=3 * GIB, memory_stat=f"anon 5\ninactive_file {GIB}")
    assert available_memory() == 2 * GIB
    linux.cgroup("user/job", memory_max="max")
    assert available_memory() == 8 * GIB


def test_the_tightest_limit_up_to_the_root_counts(linux: FakeLinux) -> None:
    linux.is_in("0::/user/job/step")
    linux.cgroup("user/job/step", memory_max=7 * GIB, memory_current=GIB)
    linux.cgroup("user", memory_max=5 * GIB, memory_current=2 * GIB)
    assert available_memory() == 3 * GIB


def test_the_limit_that_slows_down_counts_too(linux: FakeLinux) -> None:
    linux.is_in("0::/job")
    linux.cgroup("job", memory_max="max", memory_high=2 * GIB, memory_current=GIB)
    assert available_memory() == GIB


@pytest.mark.parametrize("path", ["/", "/docker/0123abcd", "/../../outside"])
def test_in_a_container_the_limit_stands_in_the_root(linux: FakeLinux, path: str) -> None:
    """The path may be the host's, or lead out of what the container sees."""
    linux.is_in(f"0::{path}")
    linux.cgroup("", memory_max=3 * GIB, memory_current=GIB)
    linux.cgroup("../outside", memory_max=MIB, memory_current=0)
    assert available_memory() == 2 * GIB


def test_version_1_has_other_names_and_numbers(linux: FakeLinux) -> None:
    linux.is_in("9:name=systemd:/", "4:cpu,memory:/docker/0123abcd", "3:cpuset:/", "0::/")
    linux.cgroup("memory", memory_limit_in_bytes=UNLIMITED_V1, memory_usage_in_bytes=9 * GIB)
    assert available_memory() == 8 * GIB, "no limit"
    statistics = f"inactive_file 0\ntotal_inactive_file {GIB}"
    linux.cgroup(
        "memory/docker/0123abcd",
        memory_limit_in_bytes=6 * GIB,
        memory_usage_in_bytes=2 * GIB,
        memory_stat=statistics,
    )
    assert available_memory() == 5 * GIB


def test_a_limit_lowered_below_the_use_leaves_nothing(linux: FakeLinux) -> None:
    linux.is_in("0::/job")
    linux.cgroup("job", memory_max=GIB, memory_current=2 * GIB)
    assert available_memory() == 0


@pytest.mark.parametrize(
    ("line", "files"),
    [
        ("nonsense", {}),
        ("0::/job", {"memory_max": "a lot", "memory_current": 1}),
        ("0::/job", {"memory_max": GIB}),
        ("0::/job", {"memory_max": GIB, "memory_current": ""}),
        ("0::/job", {"memory_max": "", "memory_current": 1}),
    ],
)
def test_cgroups_that_cannot_be_read_hide_nothing_else(linux: FakeLinux, line: str, files: dict) -> None:
    linux.is_in(line)
    linux.cgroup("job", **files)
    assert available_memory() == 8 * GIB


# -- limits of the process (ulimit) ------------------------------------------------------------------------------------


@on_linux
def test_the_tighter_resource_limit_counts(linux: FakeLinux, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    limits = {resource.RLIMIT_DATA: resource.RLIM_INFINITY, resource.RLIMIT_AS: resource.RLIM_INFINITY}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], resource.RLIM_INFINITY))
    assert available_memory() == 8 * GIB
    limits[resource.RLIMIT_DATA] = GIB
    assert available_memory() == GIB - 1024
    limits[resource.RLIMIT_AS] = 100 * MIB
    assert available_memory() == 97 * MIB
    limits[resource.RLIMIT_AS] = 0
    assert available_memory() == 0


LIMITED_PROGRAM = f"""
import resource
from TotalSegmentatorEngine.machine.memory import available_memory
resource.setrlimit(resource.RLIMIT_DATA, ({GIB}, {GIB}))
before = available_memory()
held = bytearray({256 * MIB})
print(before, available_memory())
try:
    bytearray(before)
except MemoryError:
    print("as expected")
"""


@on_linux
def test_a_real_limit_on_data_is_seen() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LIMITED_PROGRAM],
        env={"PYTHONPATH": str(MODULE_FOLDER)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    before, after, *rest = ended.stdout.split(maxsplit=2)
    assert 512 * MIB < int(before) < GIB
    assert 255 * MIB < int(before) - int(after) < 258 * MIB
    assert rest == ["as expected\n"]


# -- this process ------------------------------------------------------------------------------------------------------


@on_linux
def test_what_this_process_holds_grows_and_shrinks() -> None:
    before = resident_memory()
    held = bytearray(b"x" * (128 * MIB))
    grown = resident_memory()
    assert grown - before > 120 * MIB
    del held
    assert resident_memory() < grown - 120 * MIB


# -- Windows, by what it is documented to say --------------------------------------------------------------------------


def test_windows_counts_what_may_be_committed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Kernel:
        answer = 1

        def GlobalMemoryStatusEx(self, pointer: object) -> int:
            assert pointer._obj.dwLength == 64
            pointer._obj.ullAvailPageFile = 3 * GIB
            return self.answer

    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * GIB, available=8 * GIB))
    monkeypatch.setattr(system_memory, "PROC", tmp_path / "none")
    monkeypatch.setattr(system_memory.sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", lambda _name: Kernel(), raising=False)
    assert (available_memory(), installed_memory()) == (3 * GIB, 16 * GIB)
    Kernel.answer = 0
    assert (available_memory(), installed_memory()) == (None, 16 * GIB)


# -- memory that runs out in an unexpected place ----------------------------------------------------------------------


def test_memory_that_runs_out_anywhere_is_reported_as_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from TotalSegmentatorEngine.cli import main as command_line
    from TotalSegmentatorEngine.ct_input import reading
    from TotalSegmentatorEngine.job.error_boundary import problem_of

    def out_of_memory(*_arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(reading, "read_input", out_of_memory)
    monkeypatch.setattr(system_memory, "available_memory", lambda: 3 * 10**9)
    assert problem_of(MemoryError(), tmp_path).code == "MEMORY_SHORT"
    model = TESTING / "demo_model" / "Dataset900_PhantomDemo104"
    ct = tmp_path / "ct.nii"
    ct.write_bytes(b"")
    arguments = ["segment", str(ct), str(tmp_path / "labels.nii.gz"), "--model", str(model)]
    assert command_line.main(arguments) == ERRORS["MEMORY_SHORT"].exit_code
