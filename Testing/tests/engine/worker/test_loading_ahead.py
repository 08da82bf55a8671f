"""What the resident worker loads for a job that nobody has started yet is what that job takes; what it does not need
goes."""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
import weakref
from pathlib import Path

import pytest
import torch
from engine_support import blobs_volume
from one_model import model_task
from seeded_models import configuration_settings, make_model_folder, plans_of
from time_bounds import READY_SECONDS
from TotalSegmentatorEngine.inference import network, stored_runners
from TotalSegmentatorEngine.inference.stored_runners import ReadyNetworks
from TotalSegmentatorEngine.inference.weight_prefetch import Prefetched
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.job.task import SegmentationTask
from TotalSegmentatorEngine.machine import devices
from TotalSegmentatorEngine.pipeline import run_job
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.part_prediction import PartPrediction
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.worker import loading_ahead
from TotalSegmentatorEngine.worker.event_log import EventLog
from TotalSegmentatorEngine.worker.loading_ahead import load_ahead
from TotalSegmentatorEngine.worker.request_queue import RequestQueue
from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.messages.options import JobOptions
from TotalSegmentatorWire.messages.segment import PlanRequest, SegmentRequest, encode
from TotalSegmentatorWire.messages.wishes import WarmUpRequest
from TotalSegmentatorWire.user_folders import CACHE_VARIABLE

pytest.importorskip("openvino")

CT = blobs_volume((20, 24, 22), (3.0, 3.0, 3.0))


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Datasets whose weights were read."""
    names, load_model = [], network.load_model

    def noted(folder, *others):
        names.append(folder.dataset)
        return load_model(folder, *others)

    monkeypatch.setattr(network, "load_model", noted)
    return names


def task_of(folder: Path, number: int = 1, runtime: str = "openvino") -> SegmentationTask:
    dataset = folder / f"Dataset90{number}_Seeded"
    leaf = next(dataset.glob("*"), None) if dataset.exists() else None
    plans = plans_of(configuration_settings(spacing=(3.0, 3.0, 3.0)), dataset=dataset.name)
    model = leaf or make_model_folder(dataset, plans=plans, seed=number)
    return model_task(str(model), Path(), options=JobOptions(runtime=runtime, precision="exact"))


def settled(cache: EngineCache) -> Prefetched:
    return cache.weights.settle(lambda: None)


def run(task: SegmentationTask, cache: EngineCache):
    prepared = prepare(task)
    run_job.prefetch_weights(prepared, cache)
    return run_job.segment(CT, prepared, cache, SilentReporter())


def test_the_job_takes_the_network_that_is_ready(tmp_path: Path, reads: list[str]):
    task, cache = task_of(tmp_path), EngineCache()
    expected = run(task_of(tmp_path, runtime="eager"), EngineCache()).layers[0]
    reads.clear()
    assert load_ahead(task, cache)
    assert settled(cache).runners and not settled(cache).weights
    labels = run(task, cache).layers[0]
    assert reads == ["Dataset901_Seeded"], "read once, ahead of the job"
    assert (labels == expected).mean() > 0.99
    assert settled(cache) == Prefetched(frozenset(), frozenset())

    assert load_ahead(task, cache), "the job has left it in memory"
    assert load_ahead(task, EngineCache())
    assert settled(cache) == Prefetched(frozenset(), frozenset())
    assert reads == ["Dataset901_Seeded"], "another worker finds it stored"


def test_weights_alone_where_the_runtime_is_not_known_yet(tmp_path: Path, reads: list[str]):
    cache = EngineCache()
    assert load_ahead(task_of(tmp_path, runtime="auto"), cache)
    assert settled(cache).weights and not settled(cache).runners
    run(task_of(tmp_path, runtime="auto"), cache)
    assert reads == ["Dataset901_Seeded"]


def test_a_job_with_another_model_does_not_wait_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    cache, goes_on, has_begun, traces = EngineCache(), threading.Event(), threading.Event(), []
    load_model = network.load_model

    def slowly(folder, *others):
        if folder.dataset == "Dataset901_Seeded":
            has_begun.set()
            assert goes_on.wait(READY_SECONDS)
        model = load_model(folder, *others)
        traces.append((folder.dataset, weakref.ref(model.networks[0])))
        return model

    monkeypatch.setattr(network, "load_model", slowly)
    other = task_of(tmp_path, 2)
    assert load_ahead(task_of(tmp_path, 1), cache)
    assert has_begun.wait(READY_SECONDS)
    threading.Timer(0.2, goes_on.set).start()
    assert run(other, cache).layers[0].shape == CT.array.shape
    deadline = time.monotonic() + READY_SECONDS
    while any(trace() is not None for _name, trace in traces) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert [name for name, trace in traces if trace() is not None] == []
    assert settled(cache) == Prefetched(frozenset(), frozenset())


def test_other_options_are_another_network(tmp_path: Path, reads: list[str]):
    cache = EngineCache()
    load_ahead(task_of(tmp_path), cache)
    assert settled(cache).runners
    assert run(task_of(tmp_path, runtime="eager"), cache).options.runtime == "eager"
    assert reads == ["Dataset901_Seeded", "Dataset901_Seeded"]


def test_nothing_is_loaded_where_memory_is_short(tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch):
    cache = EngineCache()
    monkeypatch.setattr(loading_ahead, "available_memory", lambda: 1000)
    assert not load_ahead(task_of(tmp_path), cache)
    assert settled(cache) == Prefetched(frozenset(), frozenset()) and reads == []
    with pytest.raises(SegmentationError) as refused:
        load_ahead(model_task("no-such-model", Path()), cache)
    assert refused.value.code == "MODEL_UNKNOWN"


def test_a_network_that_openvino_cannot_compile_stays_as_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from TotalSegmentatorEngine.inference import openvino_runner

    def refuse(*_arguments):
        raise RuntimeError

    monkeypatch.setattr(openvino_runner, "openvino_model", refuse)
    cache = EngineCache()
    load_ahead(task_of(tmp_path), cache)
    assert settled(cache).weights
    assert run(task_of(tmp_path), cache).options.runtime == "eager"


@pytest.mark.parametrize("during", ["the reading of weights", "the use of a stored network", "the compiling"])
def test_what_went_wrong_before_the_job_is_forgotten(
    tmp_path: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch, during: str
):
    """A network drive was away, or the memory was short: minutes later it may be well again."""

    def fail(*_arguments):
        raise OSError("the drive is away")

    cache = EngineCache()
    with monkeypatch.context() as patched:
        if during == "the reading of weights":
            patched.setattr(network, "load_model", fail)
        else:
            patched.setattr(ReadyNetworks, "made" if during == "the compiling" else "runner", fail)
        assert load_ahead(task_of(tmp_path), cache)
        settled(cache)
    assert run(task_of(tmp_path), cache).options.runtime == "openvino"
    assert reads == ["Dataset901_Seeded"]


@pytest.fixture
def driver_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A computer with a GPU, on which PyTorch without CUDA is installed."""
    monkeypatch.setattr(devices, "gpus_of_driver", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.usefixtures("driver_alone")
def test_a_driver_that_torch_cannot_use_changes_nothing(tmp_path: Path, reads: list[str]):
    task, cache = task_of(tmp_path), EngineCache()
    assert load_ahead(task, cache)
    assert settled(cache).runners
    assert run(task, cache).device == "cpu"
    assert reads == ["Dataset901_Seeded"]


@pytest.mark.usefixtures("driver_alone")
def test_what_was_read_for_a_gpu_that_torch_cannot_use_goes_before_the_network_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The first job of the command line: torch is not imported when the reading of weights begins."""
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "torch", None)
        assert devices.auto_is_cuda()
    task, cache, beside = task_of(tmp_path), EngineCache(), []
    prepared, predict = prepare(task), PartPrediction.predict

    def noted(*arguments):
        labels = predict(*arguments)
        beside.append(settled(cache))
        return labels

    with monkeypatch.context() as patched:
        patched.setattr(stored_runners, "auto_is_cuda", devices.gpus_of_driver)
        run_job.prefetch_weights(prepared, cache)
    assert settled(cache).weights
    monkeypatch.setattr(PartPrediction, "predict", noted)
    run_job.segment(CT, prepared, cache, SilentReporter())
    assert beside == [Prefetched(frozenset(), frozenset())]


def test_what_is_loaded_ahead_comes_before_plans_and_never_after_a_job(tmp_path: Path):
    def requests(*messages: object) -> RequestQueue:
        reading, writing = os.pipe()
        os.write(writing, "".join(encode(message) + "\n" for message in messages).encode("ascii"))
        ended = threading.Event()
        queue = RequestQueue(EventLog(tmp_path), ended.set, descriptor=reading)
        queue.start()
        os.close(writing)
        assert ended.wait(READY_SECONDS), "all is read"
        return queue

    ahead, folder = WarmUpRequest("/m", []), str(tmp_path)
    plan, job = PlanRequest("1", folder, "", [], [], [], ""), SegmentRequest("2", folder, folder, "", False, [], "")
    planning = requests(plan, WarmUpRequest("/other", []), ahead)
    assert planning.take(0.0) == ahead, "the last one"
    assert planning.take(0.0).request == plan
    segmenting = requests(ahead, plan, job, ahead)
    assert [segmenting.take(0.0).request, segmenting.take(0.0).request] == [plan, job]
    assert segmenting.take(0.0) is None
