"""One process a GPU: which devices a run gets, and real processes, on the CPU, that share the CTs of a run."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from batch_bench import GRID, BatchBench
from ct_variants import write_image
from seeded_models import make_model_folder
from series_support import chest
from TotalSegmentatorEngine.batch import commands
from TotalSegmentatorEngine.batch.device_processes import run_on_devices
from TotalSegmentatorEngine.batch.running import case_steps
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.machine import devices
from TotalSegmentatorWire.errors.problem import ERRORS, Problem, SegmentationError
from TotalSegmentatorWire.process_identity import this_process

PATIENCE_SECONDS = 60.0
CRASHING_SLICES = 5
FORK = multiprocessing.get_context("fork" if hasattr(os, "fork") else None)


@pytest.mark.parametrize(
    ("device", "count", "expected"),
    [
        ("auto", 3, ["cuda:0", "cuda:1", "cuda:2"]),
        ("cuda", 2, ["cuda:0", "cuda:1"]),
        ("auto", 1, ["auto"]),
        ("auto", 0, ["auto"]),
        ("cuda:1", 3, ["cuda:1"]),
        ("cpu", 3, ["cpu"]),
    ],
)
def test_a_process_for_each_gpu_unless_one_is_named(
    monkeypatch: pytest.MonkeyPatch, device: str, count: int, expected: list[str]
) -> None:
    monkeypatch.setattr(run_on_devices, "cuda_count", lambda: count)
    assert run_on_devices.devices_for(device) == expected


def test_torch_is_asked_only_where_the_driver_knows_several_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "gpus_of_driver", lambda: 1)
    monkeypatch.setitem(devices.sys.modules, "torch", None)  # an import of it fails
    assert devices.cuda_count() == 1
    monkeypatch.setattr(devices, "gpus_of_driver", lambda: 2)
    with pytest.raises(ImportError):
        devices.cuda_count()


@pytest.mark.slow  # four processes that import torch
def test_a_killed_process_is_replaced_and_each_ct_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    """The first process that is at a CT is killed."""
    monkeypatch.setattr(commands, "devices_for", lambda device: ["cpu", "cpu"])
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    model = make_model_folder(tmp_path / "models" / "Dataset902_Tiny")
    inputs, output = tmp_path / "archive", tmp_path / "results"
    inputs.mkdir()
    for seed in range(4):
        write_image(inputs / f"{seed}.nii.gz", chest(seed, 4), GRID)
    killed: list[int] = []
    killer = threading.Thread(target=_kill_first_owner, args=(output, killed), daemon=True)
    killer.start()
    words = [inputs, "--output", output, "--model", model, "--runtime", "eager", "--device", "cpu", "--accept-size"]
    status = main(["batch", *map(str, words)])
    killer.join(PATIENCE_SECONDS)
    printed = capsys.readouterr()
    assert (status, len(killed)) == (0, 1), printed.err
    assert "4 CTs segmented, 0 done before, 0 failed" in printed.out
    outcomes = list(BatchFolder(output).outcomes())
    assert [outcome.is_done for outcome in outcomes] == [True] * 4
    assert {outcome.device for outcome in outcomes} == {"cpu"}
    assert not list(output.glob("*/claim.json"))
    assert not list(output.glob("*/.*"))


def _kill_first_owner(output: Path, killed: list[int]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until and not killed:
        for draft in output.glob("*/.*.draft"):
            path = draft.parent / "claim.json"
            try:
                pid = json.loads(path.read_text(encoding="utf-8"))["process"]["pid"]
            except (OSError, ValueError, KeyError):
                continue
            if pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                return
        time.sleep(0.01)


def test_processes_that_always_end_do_not_go_on_for_ever(bench: BatchBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here they cannot even begin: their order cannot be read."""
    monkeypatch.setattr(commands, "devices_for", lambda device: ["cpu", "cpu"])
    monkeypatch.setattr(run_on_devices, "Order", _Unreadable)
    monkeypatch.setattr(run_on_devices, "MOST_DEATHS", 0)
    bench.image("a.nii.gz")
    run = bench()
    assert run.status == ERRORS["BATCH_PROCESSES_ENDED"].exit_code
    assert Problem("BATCH_PROCESSES_ENDED", {"count": 1}).what in run.err


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_device_may_lose_more_processes_where_cts_are_done_between(
    bench: BatchBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One device, whose processes are forks of this one, so that they have the stand-in for the networks."""
    run_all, run_child = run_on_devices.run_on_devices, run_on_devices.run_child

    def run_in_fork(*arguments: object) -> None:
        this_process.cache_clear()
        run_child(*arguments)

    def crash(array: np.ndarray) -> None:
        if len(array) == CRASHING_SLICES:
            os._exit(1)

    monkeypatch.setattr(run_on_devices, "multiprocessing", SimpleNamespace(get_context=lambda _: FORK))
    monkeypatch.setattr(run_on_devices, "run_child", run_in_fork)
    monkeypatch.setattr(run_on_devices, "MOST_DEATHS", 1)
    monkeypatch.setattr(case_steps, "LARGEST_DEATHS", 1)
    monkeypatch.setattr(commands, "devices_for", lambda device: ["cpu", "cpu"])
    monkeypatch.setattr(
        commands,
        "run_on_devices",
        lambda cases, task, folder, devices, *rest: run_all(cases, task, folder, ["cpu"], *rest),
    )
    bench.on_segment = crash
    for name, slices in (("a", CRASHING_SLICES), ("b", 4), ("c", CRASHING_SLICES)):
        bench.image(f"{name}.nii.gz", seed=ord(name), slices=slices)
    run = bench()
    assert (run.status, run.codes) == (1, ["BATCH_PROCESS_DIED"] * 2), run.err
    assert len(run.outcomes) == 3


class _Unreadable:
    def __init__(self, *_arguments: object) -> None:
        pass

    def __reduce__(self) -> tuple:
        return _refuse, ()


def _refuse() -> None:
    raise SegmentationError("INTERNAL_ERROR", kind="test")
