"""Weights that a thread reads while something else happens: they arrive, once, and nothing waits for them in vain."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from places import MODULE_FOLDER
from seeded_models import make_model_folder
from time_bounds import READY_SECONDS
from TotalSegmentatorEngine.inference import network
from TotalSegmentatorEngine.inference.network import LoadedModel
from TotalSegmentatorEngine.inference.weight_prefetch import WeightPrefetch
from TotalSegmentatorEngine.models.checkpoint import Checkpoint
from TotalSegmentatorEngine.models.model_folder import ModelFolder, read_model_folder
from TotalSegmentatorWire.errors.problem import SegmentationError

load_model = network.load_model


class Disk:
    """Stands before the real reading: counts, and holds a folder's reading up until it is let go."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self.is_held: dict[str, threading.Event] = {}
        self.has_begun = threading.Event()

    def hold(self, folder: ModelFolder) -> threading.Event:
        """The reading of the folder waits for this event."""
        return self.is_held.setdefault(folder.dataset, threading.Event())

    def load(self, folder: ModelFolder, device: torch.device, on_fold: Callable[[], None]) -> LoadedModel:
        assert threading.current_thread() is not threading.main_thread()
        self.read.append(folder.dataset)
        self.has_begun.set()
        if folder.dataset in self.is_held:
            assert self.is_held[folder.dataset].wait(READY_SECONDS)
        return load_model(folder, device, on_fold)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(network, "load_model", disk.load)
    return disk


@pytest.fixture
def folder(tmp_path: Path) -> ModelFolder:
    return make_folder(tmp_path, 1)


@pytest.fixture
def weights() -> WeightPrefetch:
    return WeightPrefetch()


def make_folder(tmp_path: Path, number: int, folds: int = 1) -> ModelFolder:
    return read_model_folder(make_model_folder(tmp_path / f"Dataset90{number}_Seeded", folds=folds, seed=number))


def go_on() -> None:
    """A job that nobody cancels."""


def cancel() -> None:
    raise SegmentationError("CANCELLED")


def wait_for_idle() -> None:
    """Until no thread reads."""
    deadline = time.monotonic() + READY_SECONDS
    while any(thread.name == "weights" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


# -- what arrives ------------------------------------------------------------------------------------------------------


def test_the_networks_are_those_of_the_folder(tmp_path: Path, weights: WeightPrefetch) -> None:
    folder = make_folder(tmp_path, 1, folds=2)
    weights.start(folder)
    model = weights.take(folder, go_on)
    expected = load_model(folder, torch.device("cpu"))
    assert model.device.type == "cpu" and model.outputs == expected.outputs and len(model.networks) == 2
    for ours, theirs in zip(model.networks, expected.networks, strict=True):
        state, expected_state = ours.state_dict(), theirs.state_dict()
        assert state.keys() == expected_state.keys()
        assert all(torch.equal(state[name], expected_state[name]) for name in state)
        assert not any(parameter.requires_grad for parameter in ours.parameters())


def test_one_folder_after_the_other_each_once(tmp_path: Path, weights: WeightPrefetch, disk: Disk) -> None:
    folders = [make_folder(tmp_path, number) for number in range(3)]
    first = disk.hold(folders[0])
    for folder in (*folders, *folders):
        weights.start(folder)
    assert disk.has_begun.wait(READY_SECONDS)
    assert disk.read == ["Dataset900_Seeded"]
    first.set()
    models = [weights.take(folder, go_on) for folder in folders]
    assert disk.read == ["Dataset900_Seeded", "Dataset901_Seeded", "Dataset902_Seeded"]
    assert len({id(model) for model in models}) == 3


def test_a_model_is_given_once(folder: ModelFolder, weights: WeightPrefetch, disk: Disk) -> None:
    first = weights.take(folder, go_on)
    assert weights.take(folder, go_on) is not first
    assert len(disk.read) == 2


def test_what_was_taken_lives_no_longer_than_its_user(tmp_path: Path, weights: WeightPrefetch, disk: Disk) -> None:
    one, other = make_folder(tmp_path, 1), make_folder(tmp_path, 2)
    others_turn = disk.hold(other)
    weights.start(one)
    weights.start(other)
    model = weights.take(one, go_on)
    trace = weakref.ref(model.networks[0])
    del model
    assert trace() is None, "the next folder is being read"
    others_turn.set()
    model = weights.take(other, go_on)
    wait_for_idle()
    trace = weakref.ref(model.networks[0])
    del model
    assert trace() is None, "nothing is being read"


def test_weights_replaced_in_the_meantime_are_read_anew(
    folder: ModelFolder, weights: WeightPrefetch, disk: Disk
) -> None:
    weights.start(folder)
    wait_for_idle()
    checkpoint = folder.checkpoints[0]
    os.utime(checkpoint, ns=(1, checkpoint.stat().st_mtime_ns + 1_000_000_000))
    weights.take(folder, go_on)
    assert len(disk.read) == 2


# -- what goes wrong ---------------------------------------------------------------------------------------------------


def test_damaged_weights_are_reported_to_who_takes_them(folder: ModelFolder, weights: WeightPrefetch) -> None:
    checkpoint = folder.checkpoints[0]
    content = checkpoint.read_bytes()
    checkpoint.write_bytes(content[: len(content) // 2])
    weights.start(folder)
    wait_for_idle()
    with pytest.raises(SegmentationError) as caught:
        weights.take(folder, go_on)
    assert caught.value.code == "MODEL_DAMAGED"
    checkpoint.write_bytes(content)
    assert weights.take(folder, go_on).networks, "the next job finds the folder repaired"


def test_a_folder_that_is_gone_is_reported_to_who_takes_it(folder: ModelFolder, weights: WeightPrefetch) -> None:
    folder.checkpoints[0].unlink()
    weights.start(folder)
    with pytest.raises(SegmentationError) as caught:
        weights.take(folder, go_on)
    assert caught.value.code == "MODEL_DAMAGED"


@pytest.mark.parametrize("error", [MemoryError(), ModuleNotFoundError("no nnunetv2"), TimeoutError(), SystemExit(3)])
def test_any_exception_of_the_thread_reaches_the_job(
    folder: ModelFolder, weights: WeightPrefetch, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(*_arguments: object) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(network, "load_model", fail)
        with pytest.raises(type(error)) as caught:
            weights.take(folder, go_on)
        assert caught.value is error
    assert weights.take(folder, go_on).networks


# -- cancelled ---------------------------------------------------------------------------------------------------------


def test_a_cancelled_job_does_not_wait(folder: ModelFolder, weights: WeightPrefetch, disk: Disk) -> None:
    goes_on = disk.hold(folder)
    begun = time.monotonic()
    with pytest.raises(SegmentationError) as caught:
        weights.take(folder, cancel)
    assert caught.value.code == "CANCELLED"
    assert time.monotonic() - begun < READY_SECONDS
    goes_on.set()
    assert weights.take(folder, go_on).networks
    assert len(disk.read) == 1, "the next job takes what the cancelled one began to read"


def test_what_was_forgotten_before_it_began_is_not_read(tmp_path: Path, weights: WeightPrefetch, disk: Disk) -> None:
    one, other = make_folder(tmp_path, 1), make_folder(tmp_path, 2)
    goes_on = disk.hold(one)
    weights.start(one)
    assert disk.has_begun.wait(READY_SECONDS)
    weights.start(other)
    weights.clear()
    goes_on.set()
    wait_for_idle()
    assert disk.read == ["Dataset901_Seeded"]
    assert weights.take(other, go_on).networks
    assert weights.take(one, go_on).networks
    assert disk.read == ["Dataset901_Seeded", "Dataset902_Seeded", "Dataset901_Seeded"]


def test_forgotten_folds_are_not_read_to_the_end(
    tmp_path: Path, weights: WeightPrefetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path, 1, folds=3)
    folds, first_is_read, goes_on = [], threading.Event(), threading.Event()
    read_checkpoint = network.read_checkpoint

    def read_slowly(path: Path) -> Checkpoint:
        folds.append(path)
        first_is_read.set()
        assert goes_on.wait(READY_SECONDS)
        return read_checkpoint(path)

    monkeypatch.setattr(network, "read_checkpoint", read_slowly)
    weights.start(folder)
    assert first_is_read.wait(READY_SECONDS)
    weights.clear()
    goes_on.set()
    wait_for_idle()
    assert len(folds) == 1


def test_what_nobody_took_is_forgotten(folder: ModelFolder, weights: WeightPrefetch, disk: Disk, monkeypatch) -> None:
    traces = []

    def load(*arguments: object) -> LoadedModel:
        model = disk.load(*arguments)
        traces.append(weakref.ref(model))
        return model

    monkeypatch.setattr(network, "load_model", load)
    weights.start(folder)
    wait_for_idle()
    assert traces[0]() is not None
    weights.clear()
    assert traces[0]() is None


# -- the end of the process --------------------------------------------------------------------------------------------

ENDING_PROGRAM = """
import sys, time
from pathlib import Path
from TotalSegmentatorEngine.models.checkpoint import Checkpoint
from TotalSegmentatorEngine.models.model_folder import read_model_folder
from TotalSegmentatorEngine.inference.weight_prefetch import WeightPrefetch
{replaced}
weights = WeightPrefetch()
weights.start(read_model_folder(Path(sys.argv[1])))
time.sleep({seconds})
print(time.time(), flush=True)
sys.exit(130)
"""
ENDLESS = """
import types
def load_model(*_):
    while True:
        try:
            while True:
                time.sleep(0.001)
        except Exception:
            pass
sys.modules["TotalSegmentatorEngine.inference.network"] = types.SimpleNamespace(load_model=load_model)
"""


@pytest.mark.parametrize(
    ("replaced", "seconds"),
    [("", 0.0), ("", 0.4), ("", 1.0), (ENDLESS, 2.0)],
    ids=["at once", "torch is being imported", "later", "a reading without an end"],
)
def test_a_process_ends_though_its_thread_still_reads(folder: ModelFolder, replaced: str, seconds: float) -> None:
    """As after Ctrl+C: with its own exit status, soon, and without a word."""
    program = ENDING_PROGRAM.format(replaced=replaced, seconds=seconds)
    ended = subprocess.run(
        [sys.executable, "-c", program, str(folder.path)],
        env={**os.environ, "PYTHONPATH": str(MODULE_FOLDER)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (130, "")
    assert time.time() - float(ended.stdout) < READY_SECONDS
