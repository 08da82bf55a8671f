"""How items reach the workers of a cluster."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from TotalSegmentatorEngine.batch.dask_engine import dispatch as dispatching
from TotalSegmentatorEngine.batch.dask_engine.dispatch import Busy, Dispatch
from TotalSegmentatorEngine.cluster.connection import present_workers
from TotalSegmentatorWire.errors.problem import SegmentationError

ITEMS = [f"ct {number}" for number in range(6)]
REFUSED = SegmentationError("CLUSTER_PLACE_DIFFERS", option="--output")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatching, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(dispatching, "WORKERS_SECONDS", 0.05)
    monkeypatch.setattr(dispatching, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr(dispatching, "REFUSED_SECONDS", 0.1)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(cluster, said: list[str]) -> Callable[..., list[tuple[str, Any]]]:
    def run_all(function: Callable, *arguments, check=lambda workers: {}, cancelled=lambda: None, patience=60.0):
        dispatch = Dispatch(cluster.client, function, arguments, check, said.append, patience)
        return list(dispatch.run(ITEMS, cancelled))

    return run_all


def where_and_when(item: str) -> tuple[str, float, float]:
    """Runs on a worker."""
    from distributed import get_worker

    start = time.monotonic()
    time.sleep(0.03)
    return get_worker().address, start, time.monotonic()


def test_a_worker_of_four_threads_has_one_item_at_a_time(run, cluster):
    workers = cluster.add(2)

    answers = run(where_and_when)

    assert sorted(item for item, _ in answers) == ITEMS
    for worker in workers:
        spans = sorted((start, end) for _, (address, start, end) in answers if address == worker)
        assert len(spans) >= 2
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def test_workers_stay_where_dask_forgets_them_for_a_moment(run, cluster, monkeypatch: pytest.MonkeyPatch):
    """A timer of the client replaces what it knows of the workers by nothing, again and again."""
    cluster.add(2)
    monkeypatch.setattr(cluster.client, "scheduler_info", lambda **_: {"workers": {}})

    assert len(run(where_and_when)) == len(ITEMS)


def test_a_gpu_is_asked_for_where_a_worker_has_one(run, cluster):
    """Dask would wait for ever for a resource that nobody has."""
    cluster.add(1, {"gpu": 1})
    cluster.add(1)

    assert len({answer[0] for _, answer in run(where_and_when)}) == 2


started: Counter[str] = Counter()
released = threading.Event()
"""What the functions on the workers share with the test."""


def stuck_at_first(item: str, stuck: str) -> str:
    """Runs on a worker, which is a thread of this process."""
    started[item] += 1
    if item == stuck and started[item] == 1:
        released.wait(60)
    return item.upper()


def test_the_item_of_a_worker_that_leaves_goes_to_another_one(run, cluster, said: list[str]):
    cluster.add(2)
    started.clear()
    released.clear()
    holder: list[str] = []

    def end_the_stuck_one() -> None:
        busy = [address for address, keys in cluster.client.processing().items() if keys]
        if started.total() == len(ITEMS) and len(busy) == 1 and not holder:  # all others are done
            holder.extend(busy)
            cluster.end(busy[0])

    answers = run(stuck_at_first, ITEMS[0], cancelled=end_the_stuck_one)
    released.set()

    assert sorted(answers) == [(item, item.upper()) for item in ITEMS]
    assert started == {**dict.fromkeys(ITEMS, 1), ITEMS[0]: 2}
    assert said == ["a worker has ended; its CT goes to another one"]


@pytest.mark.parametrize("seconds", [0.0, 0.3])
def test_an_answer_that_is_lost_with_its_worker_is_asked_for_again(
    run, cluster, seconds: float, monkeypatch: pytest.MonkeyPatch
):
    """The worker goes after it has finished, before, or ``seconds`` after, that is known here."""
    monkeypatch.setattr(dispatching, "ANSWER_SECONDS", 0.5)
    cluster.add(2)
    started.clear()
    ended: list[str] = []

    def end_the_one_that_has_finished() -> None:
        holders = {address for address, keys in cluster.client.has_what().items() if keys}
        if holders and not ended:
            ended.append(holders.pop())
            cluster.end(ended[0])
            time.sleep(seconds)

    answers = run(stuck_at_first, "nothing", cancelled=end_the_one_that_has_finished)

    assert sorted(answers) == [(item, item.upper()) for item in ITEMS]
    assert ended and started.total() - len(ITEMS) <= 2  # its answer, and what it was doing meanwhile


def busy_at_first(item: str, looked: str) -> str | Busy:
    started[looked + item] += 1
    return Busy() if started[looked + item] < 3 else item


def test_an_item_in_other_hands_is_looked_at_again(run, cluster):
    cluster.add(1)
    assert sorted(run(busy_at_first, "busy")) == [(item, item) for item in ITEMS]
    assert {started["busy" + item] for item in ITEMS} == {3}


def test_a_worker_that_cannot_be_used_gets_nothing(run, cluster):
    good, bad = cluster.add(2)
    asked: list[str] = []

    def check(workers: list[str]) -> dict[str, SegmentationError]:
        asked.extend(workers)
        return {worker: REFUSED for worker in workers if worker == bad}

    assert {answer[0] for _, answer in run(where_and_when, check=check)} == {good}
    assert sorted(asked) == sorted([good, bad])  # once each
    with pytest.raises(SegmentationError) as caught:
        run(where_and_when, check=lambda workers: dict.fromkeys(workers, REFUSED))
    assert caught.value.code == REFUSED.code


@pytest.mark.parametrize(("first", "last", "seconds"), [(0, 2, 30.0), (1, 3, 0.0)], ids=["comes late", "comes back"])
def test_a_worker_that_cannot_be_used_does_not_end_the_run_while_another_one_is_away(
    run, cluster, monkeypatch: pytest.MonkeyPatch, first: int, last: int, seconds: float
):
    """The scheduler does not know the other one the ``first`` to ``last`` time that it is asked for its workers."""
    good, bad = cluster.add(2)
    looks = itertools.count()

    def present(client) -> dict[str, dict[str, Any]]:
        away = first <= next(looks) <= last
        return {address: worker for address, worker in present_workers(client).items() if address != good or not away}

    monkeypatch.setattr(dispatching, "present_workers", present)
    monkeypatch.setattr(dispatching, "REFUSED_SECONDS", seconds)
    answers = run(where_and_when, check=lambda workers: {worker: REFUSED for worker in workers if worker == bad})
    assert sorted(item for item, _ in answers) == ITEMS and {answer[0] for _, answer in answers} == {good}
    assert next(looks) > last


def test_workers_may_come_late_but_not_never(run, cluster, said: list[str]):
    looks = itertools.count()

    def comes() -> None:
        if next(looks) == 3:
            cluster.add(1)

    assert len(run(where_and_when, cancelled=comes, patience=None)) == len(ITEMS)
    assert said == ["waiting for workers of the Dask cluster"]
    cluster.remove_all()
    with pytest.raises(SegmentationError) as caught:
        run(where_and_when, patience=0.1)
    assert caught.value.code == "CLUSTER_NO_WORKERS"


def test_cancelling_leaves_nothing_at_the_workers(run, cluster):
    cluster.add(1)
    looks = itertools.count()

    def cancelled() -> None:
        if next(looks) == 4:
            raise SegmentationError("CANCELLED")

    with pytest.raises(SegmentationError) as caught:
        run(where_and_when, cancelled=cancelled)
    assert caught.value.code == "CANCELLED"
    until = time.monotonic() + 60
    while any(cluster.client.processing().values()) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(cluster.client.processing().values())


def test_a_scheduler_that_ends_ends_the_run(short_cluster, said: list[str]):
    short_cluster.add(1)
    dispatch = Dispatch(short_cluster.client, where_and_when, (), lambda workers: {}, said.append)
    answers = dispatch.run(ITEMS, lambda: None)
    next(answers)
    short_cluster.end_scheduler()
    with pytest.raises(SegmentationError) as caught:
        list(answers)
    assert caught.value.code == "SCHEDULER_LOST"
