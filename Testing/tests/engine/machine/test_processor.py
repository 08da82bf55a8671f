"""What is read about the processor, and what the allocator is set to."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from TotalSegmentatorEngine.machine import allocator, core_shares, cpu_features

CPUINFO = """processor\t: 0
vendor_id\t: SomeVendor
cpu family\t: 6
model\t\t: 143
model name\t: Some(R) Processor 8 @ 2.0GHz
flags\t\t: fpu sse4_2 avx2 avx512f{more}

processor\t: 1
"""


@pytest.mark.parametrize(
    ("more", "expected"), [("", False), (" avx512_bf16", True), (" amx_bf16 amx_tile", True), (" avx512_bf16x", False)]
)
def test_bfloat16_is_reported_by_the_processors_flags(tmp_path: Path, monkeypatch, more: str, expected: bool) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO.format(more=more))
    monkeypatch.setattr(cpu_features.sys, "platform", "linux")
    assert cpu_features.has_bf16.__wrapped__(tmp_path / "cpuinfo") is expected
    assert cpu_features.processor_name.__wrapped__(tmp_path / "cpuinfo") == "Some(R) Processor 8 @ 2.0GHz 6 143"


def test_a_system_that_does_not_tell_has_no_bfloat16(tmp_path: Path, monkeypatch) -> None:
    assert cpu_features.has_bf16.__wrapped__(tmp_path / "missing") is False
    assert cpu_features.processor_name.__wrapped__(tmp_path / "missing")
    monkeypatch.setattr(cpu_features.sys, "platform", "win32")
    assert cpu_features.has_bf16.__wrapped__() is False
    assert cpu_features.processor_name.__wrapped__()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_tensors_stay_or_go_as_set() -> None:
    def resident_mb() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6

    allocator.give_memory_back()
    before = resident_mb()
    allocator.keep_memory()
    torch.ones(25_000_000)  # 100 MB, freed at once
    assert resident_mb() - before > 90
    allocator.give_memory_back()
    assert resident_mb() - before < 20
    torch.ones(25_000_000)
    assert resident_mb() - before < 20


def test_another_c_library_is_left_alone(monkeypatch) -> None:
    monkeypatch.setattr(allocator, "glibc", lambda: None)
    allocator.keep_memory()
    allocator.give_memory_back()
    allocator.trim_memory()


@pytest.mark.parametrize(
    ("siblings", "count", "shares"),
    [
        (["0,4", "1,5", "2,6", "3,7"] * 2, 2, [[0, 4, 1, 5], [2, 6, 3, 7]]),
        (["0-1", "0-1", "2-3", "2-3", "4-5", "4-5"], 2, [[0, 1], [2, 3, 4, 5]]),
        (["0", "1"], 2, [[0], [1]]),
        (["0-1", "0-1"], 2, []),
    ],
)
def test_processes_share_whole_cores(
    tmp_path: Path, monkeypatch, siblings: list[str], count: int, shares: list
) -> None:
    monkeypatch.setattr(core_shares.os, "sched_getaffinity", lambda _pid: set(range(len(siblings))), raising=False)
    assert core_shares.core_shares(count, tmp_path) == []  # a system that does not tell
    for cpu, text in enumerate(siblings):
        (tmp_path / f"cpu{cpu}" / "topology").mkdir(parents=True)
        (tmp_path / f"cpu{cpu}" / "topology" / "thread_siblings_list").write_text(text + "\n")
    assert core_shares.core_shares(count, tmp_path) == shares
