"""Gives items one at a time to the workers of a Dask cluster, and sees workers come and go.

A worker process has one item at a time, whatever number of threads it was started with: networks and images in memory
are a process's. An item is bound to its worker: when that one dies, the item comes back and goes to another one. Dask's
own way, which counts deaths against every task that waits at the worker and moves tasks between workers, is not used.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.cluster.connection import present_workers
from TotalSegmentatorEngine.cluster.nanny_options import GPU

if TYPE_CHECKING:
    from distributed import Client, Future

POLL_SECONDS = 0.1
WORKERS_SECONDS = 1.0
"""How often the scheduler is asked for its workers."""
ANSWER_SECONDS = 30.0
"""Until an answer, a few kilobytes, must be here. Dask would wait for ever for that of a worker that died with it."""
BUSY_SECONDS = 5.0
"""After which an item is given out again that another process is working on."""
REFUSED_SECONDS = 10.0
"""How long a run waits at its beginning for a worker that can be used, where there are only others."""
LARGEST_ATTEMPTS = 5
"""Of one item that loses its workers. The output folder counts those that die over one CT and stops sooner; these die
before they begin."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Busy:
    """The answer of a worker that found that another process has the item."""


@dataclass(frozen=True)
class _Given:
    number: int
    worker: str
    future: Future


class Dispatch(Generic[Item]):
    """``function(item, *arguments)`` runs on the workers and answers with anything, or Busy.

    ``check_workers`` gives the reasons for which workers (their addresses) cannot be used; each is asked about once.
    ``say`` tells the user something. A worker is unusable by itself; where no other one comes within
    REFUSED_SECONDS, its reason ends the run. One that was usable may die and come back.
    ``patience_seconds``: how long it may take until a worker is there, None without a limit.
    """

    def __init__(
        self,
        client: Client,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        check_workers: Callable[[list[str]], Mapping[str, SegmentationError]],
        say: Callable[[str], None],
        patience_seconds: float | None = None,
    ) -> None:
        self._client = client
        self._function = function
        self._arguments = arguments
        self._check_workers = check_workers
        self._say = say
        self._patience = patience_seconds
        self._workers: dict[str, Mapping[str, Any]] = {}
        self._refused: dict[str, SegmentationError] = {}
        self._asked_at, self._present_at = 0.0, time.monotonic()
        self._had_workers = False
        self._has_said_none = False
        self._items: Sequence[Item] = ()
        self._waiting: deque[tuple[float, int]] = deque()
        """Places in ``_items``, and when they may be given out."""
        self._given: list[_Given] = []
        self._attempts: Counter[int] = Counter()

    def run(self, items: Sequence[Item], check_cancelled: Callable[[], None]) -> Iterator[tuple[Item, Any]]:
        """Each item with its answer, as they come.

        What is still at the workers when the iteration ends is cancelled. Raises SegmentationError: what
        ``check_cancelled`` raises, what forbids all workers that there ever were, CLUSTER_NO_WORKERS where none comes
        or all end, SCHEDULER_LOST; and what ``function`` raised on a worker, as it is.
        """
        self._items = items
        self._waiting = deque((0.0, number) for number in range(len(items)))
        try:
            while self._waiting or self._given:
                check_cancelled()
                finished = self._step()
                yield from finished
                if not finished:
                    time.sleep(POLL_SECONDS)
        finally:
            if self._given and self._client.status == "running":
                self._client.cancel([given.future for given in self._given], force=True)

    def _step(self) -> list[tuple[Item, Any]]:
        try:
            self._follow_workers()
            self._give_out()
            return list(self._finished())
        except SegmentationError:
            raise
        except Exception as error:  # whatever Dask raises when the scheduler goes while it is asked
            if self._client.status != "running":
                raise SegmentationError("SCHEDULER_LOST") from error
            raise

    # -- workers -------------------------------------------------------------------------------------------------------

    def _follow_workers(self) -> None:
        now = time.monotonic()
        if self._client.status != "running":
            raise SegmentationError("SCHEDULER_LOST")
        if now - self._asked_at >= WORKERS_SECONDS:
            self._ask_for_workers()
        if self._workers:
            self._present_at, self._has_said_none, self._had_workers = now, False, True
            return
        waited = now - self._present_at
        patience = math.inf if self._patience is None else self._patience
        if self._refused and not self._had_workers and waited > min(REFUSED_SECONDS, patience):
            raise next(iter(self._refused.values()))
        if waited > patience:
            raise SegmentationError("CLUSTER_NO_WORKERS")
        if not self._has_said_none:
            self._has_said_none = True
            self._say("waiting for workers of the Dask cluster")

    def _ask_for_workers(self) -> None:
        present = {
            address: worker
            for address, worker in present_workers(self._client).items()
            if worker.get("status") == "running"
        }
        new = [address for address in present if address not in self._workers and address not in self._refused]
        refused = {address: error for address, error in self._refused.items() if address in present}
        if new:
            for address, error in self._check_workers(new).items():
                refused[address] = error
        self._refused = refused
        self._workers = {address: worker for address, worker in present.items() if address not in refused}
        self._asked_at = time.monotonic()

    # -- items ---------------------------------------------------------------------------------------------------------

    def _give_out(self) -> None:
        taken = {given.worker for given in self._given}
        now = time.monotonic()
        for address in [address for address in self._workers if address not in taken]:
            ready = next((entry for entry in self._waiting if entry[0] <= now), None)
            if ready is None:
                return
            self._waiting.remove(ready)
            self._given.append(_Given(ready[1], address, self._submit(ready[1], address)))

    def _submit(self, number: int, address: str) -> Future:
        has_gpu = (self._workers[address].get("resources") or {}).get(GPU, 0) >= 1
        return self._client.submit(
            self._function,
            self._items[number],
            *self._arguments,
            pure=False,
            workers=[address],
            allow_other_workers=False,
            resources={GPU: 1} if has_gpu else None,
            retries=0,
        )

    def _finished(self) -> Iterator[tuple[Item, Any]]:
        for given in list(self._given):
            status = given.future.status
            if status == "pending" and given.worker in self._workers:
                continue
            self._given.remove(given)
            answer = self._answer(given.future, status)
            if isinstance(answer, Busy):
                self._waiting.append((time.monotonic() + BUSY_SECONDS, given.number))
            elif answer is _LOST:
                self._give_back(given)
            else:
                yield self._items[given.number], answer

    def _answer(self, future: Future, status: str) -> Any:
        """_LOST where the worker has gone with the item."""
        from concurrent.futures import CancelledError

        from distributed import KilledWorker

        if status == "finished":
            try:
                return future.result(timeout=ANSWER_SECONDS)
            except (TimeoutError, CancelledError, KilledWorker):  # the worker has died with its answer
                status = "lost"
        if status == "error":
            error = future.exception()
            if not isinstance(error, KilledWorker):
                raise error
        future.cancel(force=True)
        return _LOST

    def _give_back(self, given: _Given) -> None:
        self._workers.pop(given.worker, None)  # one that is started at the same address is a new one
        self._asked_at = 0.0
        self._attempts[given.number] += 1
        if self._attempts[given.number] == LARGEST_ATTEMPTS:
            raise SegmentationError("CLUSTER_NO_WORKERS")
        self._waiting.append((0.0, given.number))  # the others first: this one may end the next worker, too
        self._say("a worker has ended; its CT goes to another one")


_LOST = object()
