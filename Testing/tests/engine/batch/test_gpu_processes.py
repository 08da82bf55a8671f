"""One process a GPU: which devices a run gets, and real processes, on the CPU, that share the CTs of a run."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from batch_bench import GRID, BatchBench
from ct_variants import write_image
from seeded_models import make_model_folder
from series_support import chest
from TotalSegmentatorEngine.batch import commands
from TotalSegmentatorEngine.batch.device_processes import run_on_devices
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.cli.main import main
from TotalSegmentatorEngine.machine import devices
from TotalSegmentatorWire.errors.problem import ERRORS, Problem, SegmentationError

PATIENCE_SECONDS = 60.0


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


class _Unreadable:
    def __init__(self, *_arguments: object) -> None:
        pass

    def __reduce__(self) -> tuple:
        return _refuse, ()


def _refuse() -> None:
    raise SegmentationError("INTERNAL_ERROR", kind="test")
