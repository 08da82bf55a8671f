"""A Dask cluster whose scheduler and workers are threads of this process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping

import pytest
from TotalSegmentatorEngine.cluster.connection import present_workers
from TotalSegmentatorEngine.cluster.local_cluster import start_cluster
from TotalSegmentatorEngine.cluster.nanny_options import LOOPBACK
from TotalSegmentatorEngine.cluster.tls_files import security_of


class ThreadCluster:
    def __init__(self) -> None:
        self._cluster = start_cluster([], {}, security_of(None))
        from distributed import Client, Worker

        self._kind = Worker
        self._numbers = itertools.count()
        self.client = Client(self._cluster, set_as_default=False)

    def add(self, count: int = 1, resources: Mapping[str, float] | None = None) -> list[str]:
        """Addresses of new workers."""
        before = self._present()
        options = {"host": LOOPBACK, "dashboard_address": f"{LOOPBACK}:0", "nthreads": 4, "memory_limit": 0}
        for _ in range(count):
            spec = {"cls": self._kind, "options": {**options, "resources": resources or {}}}
            self._cluster.worker_spec[next(self._numbers)] = spec
        self._cluster.scale(len(self._cluster.worker_spec))
        self._wait_for(len(before) + count)
        return list(self._present() - before)

    def end(self, address: str) -> None:
        """As a worker does that is told to go in the middle of its work."""
        (worker,) = (worker for worker in self._cluster.workers.values() if worker.address == address)
        self._cluster.sync(worker.close, executor_wait=False)

    def remove_all(self) -> None:
        self._cluster.scale(0)
        self._wait_for(0)

    def _present(self) -> set[str]:
        return set(present_workers(self.client))

    def _wait_for(self, count: int) -> None:
        until = time.monotonic() + 60
        while len(self._present()) != count:
            assert time.monotonic() < until, self._present()
            time.sleep(0.01)

    def end_scheduler(self) -> None:
        """As if it were killed; its workers go with it."""
        self._cluster.close()

    def close(self) -> None:
        self.client.close()
        self._cluster.close()


@pytest.fixture(scope="module")
def started_cluster() -> Iterator[ThreadCluster]:
    started = ThreadCluster()
    yield started
    started.close()


@pytest.fixture
def cluster(started_cluster: ThreadCluster) -> Iterator[ThreadCluster]:
    """Without workers."""
    yield started_cluster
    started_cluster.remove_all()


@pytest.fixture
def short_cluster() -> Iterator[ThreadCluster]:
    """One that a test may end."""
    started = ThreadCluster()
    yield started
    started.close()
