"""The next CT is read and the last one finished while the networks run on the present one."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from batch_bench import BatchBench, record_of
from TotalSegmentatorEngine.batch.running import case_files
from TotalSegmentatorWire.errors.problem import Problem

PATIENCE_SECONDS = 20.0
MAIN = threading.main_thread().name


@dataclass
class Timeline:
    """Steps as they begin and end, and the threads that they run in; ``at`` is called when a step begins."""

    at: Callable[[str, int], None] = lambda step, number: None
    steps: list[tuple[str, int, str]] = field(default_factory=list)
    in_memory: int = 0
    most_in_memory: int = 0
    _begun: dict[tuple[str, int], threading.Event] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, step: str) -> None:
        """Steps of one kind come in the order of the CTs."""
        with self._lock:
            number = self._counts[step] = self._counts.get(step, 0) + 1
            self.steps.append((step, number, threading.current_thread().name))
            self.in_memory += {"read": 1, "write": 0}.get(step, 0)
            self.most_in_memory = max(self.most_in_memory, self.in_memory)
        self.event(step, number).set()
        self.at(step, number)

    def event(self, step: str, number: int) -> threading.Event:
        with self._lock:
            return self._begun.setdefault((step, number), threading.Event())

    def wait_for(self, step: str, number: int) -> None:
        assert self.event(step, number).wait(PATIENCE_SECONDS), f"{step} {number} has not begun meanwhile"

    def has_begun(self, step: str, number: int) -> bool:
        return self.event(step, number).is_set()

    def threads_of(self, step: str) -> set[str]:
        return {thread for name, _, thread in self.steps if name == step}


@pytest.fixture
def timeline(bench: BatchBench, monkeypatch: pytest.MonkeyPatch) -> Timeline:
    """Of "read", "network" and "write"."""
    line = Timeline()
    read, picture = case_files.read_input, case_files.thumbnail_jpeg

    def read_input(*arguments):
        line.begin("read")
        return read(*arguments)

    def thumbnail(*arguments):
        line.begin("write")
        try:
            return picture(*arguments)
        finally:
            line.in_memory -= 1

    monkeypatch.setattr(case_files, "read_input", read_input)
    monkeypatch.setattr(case_files, "thumbnail_jpeg", thumbnail)
    bench.on_segment = lambda array: line.begin("network")
    return line


def test_three_cts_are_in_work_at_once_and_never_more(bench: BatchBench, timeline: Timeline) -> None:
    """The networks of the third CT wait until the fourth is being read, and until the second is being written, which
    waits for them."""

    def at(step: str, number: int) -> None:
        if (step, number) == ("network", 3):
            timeline.wait_for("read", 4)
            timeline.wait_for("write", 2)
            assert not timeline.has_begun("read", 5)
        elif (step, number) == ("write", 2):
            timeline.wait_for("network", 3)

    timeline.at = at
    for seed in range(6):
        bench.image(f"{seed}.nii.gz", seed)
    run = bench()
    assert (run.status, run.segmented, len(run.outcomes)) == (0, 6, 6)
    assert timeline.threads_of("network") == {MAIN}
    assert timeline.most_in_memory == 3


@pytest.mark.parametrize("available", [10**9 + 1000, None], ids=["short", "unknown"])
def test_one_ct_at_a_time_where_memory_is_short_or_unknown(
    bench: BatchBench, timeline: Timeline, available: int | None
) -> None:
    bench.plan["available_bytes"] = available
    for seed in range(4):
        bench.image(f"{seed}.nii.gz", seed)
    assert bench().status == 0
    assert timeline.threads_of("read") == {MAIN}
    assert timeline.most_in_memory == 1


def test_the_files_are_those_of_cts_done_one_by_one(bench: BatchBench, tmp_path: Path) -> None:
    inputs = [bench.image(f"{seed}.nii.gz", seed) for seed in range(3)] + [bench.dicom("series", 7)]
    together = bench("--export", "rtstruct,volumes")
    alone = tmp_path / "alone"
    for path in inputs:
        run = bench("--export", "rtstruct,volumes", inputs=[path], output=alone)
    assert {name: record_of(each) for name, each in together.outcomes.items()} == {
        name: record_of(each) for name, each in run.outcomes.items()
    }
    for case_id in together.outcomes:
        files, others = (sorted(path.name for path in (base / case_id).iterdir()) for base in (bench.output, alone))
        assert files == others
        for name in ("segmentation.seg.nrrd", "thumbnail.jpg", "volumes.csv"):
            assert (bench.output / case_id / name).read_bytes() == (alone / case_id / name).read_bytes()


def test_what_goes_wrong_beside_others_is_tried_alone(bench: BatchBench) -> None:
    """The third CT once, the fourth always: the others do not suffer from it."""
    for seed in range(6):
        bench.image(f"{seed}.nii.gz", seed)
    calls: list[int] = []

    def on_segment(array: np.ndarray) -> None:
        calls.append(hash(array.tobytes()))
        order = list(dict.fromkeys(calls))
        is_third, is_fourth = (len(order) > n and calls[-1] == order[n] for n in (2, 3))
        if is_fourth or (is_third and calls.count(calls[-1]) == 1):
            raise MemoryError

    bench.on_segment = on_segment
    run = bench()
    assert (run.status, run.codes, len(run.outcomes)) == (1, ["MEMORY_SHORT"], 6)
    assert len(calls) == 8


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux gives threads priorities of their own")
def test_what_runs_beside_the_networks_ranks_below_them(bench: BatchBench, timeline: Timeline) -> None:
    ranks: dict[str, int] = {}

    def at(step: str, number: int) -> None:
        thread = threading.get_native_id()
        ranks[f"{step} {threading.current_thread().name == MAIN}"] = os.getpriority(os.PRIO_PROCESS, thread)

    timeline.at = at
    for seed in range(4):
        bench.image(f"{seed}.nii.gz", seed)
    bench()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert ranks["network True"] == own
    assert ranks["read False"] == ranks["write False"] == min(own + 10, 19)


def test_what_goes_wrong_beside_others_has_no_record_before_it_was_tried_alone(
    bench: BatchBench, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run ends in between."""
    for seed in range(3):
        bench.image(f"{seed}.nii.gz", seed)
    failed = threading.Event()
    written: list[Path] = []
    write = case_files.write_result

    def write_result(path: Path, *arguments: object) -> None:
        written.append(path)
        if len(written) == 2:
            failed.set()
            raise MemoryError
        write(path, *arguments)

    def at(step: str, number: int) -> None:
        if step == "read" and failed.is_set() and number > 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(case_files, "write_result", write_result)
    timeline.at = at
    stopped = bench()
    assert failed.is_set() and stopped.status == Problem("CANCELLED").exit_code
    assert stopped.codes == [] and len(stopped.outcomes) < 3
    timeline.at = lambda step, number: None
    again = bench()
    assert (again.status, again.codes, len(again.outcomes)) == (0, [], 3)


def test_ctrl_c_leaves_neither_drafts_nor_claims(bench: BatchBench, timeline: Timeline) -> None:
    def at(step: str, number: int) -> None:
        if (step, number) == ("network", 3):
            timeline.wait_for("read", 4)
            raise KeyboardInterrupt

    timeline.at = at
    for seed in range(5):
        bench.image(f"{seed}.nii.gz", seed)
    stopped = bench()
    done = len(stopped.outcomes)
    assert stopped.status == Problem("CANCELLED").exit_code
    assert not [path for path in bench.output.glob("*/*") if path.name.startswith(".") or path.name == "claim.json"]
    timeline.at = lambda step, number: None
    again = bench()
    assert (again.status, len(again.outcomes)) == (0, 5)
    assert again.segmented == 5 - done
