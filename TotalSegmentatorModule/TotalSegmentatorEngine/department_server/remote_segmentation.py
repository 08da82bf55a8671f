"""What runs on the Dask workers of the department server. The workers import it: nothing here is sent as code.

A worker keeps its networks, and nothing of a CT: voxels and labels stand in the worker's memory until the computer that
ordered the job has its answer or has gone. Where memory is short, a plan may put the networks' sums, not the CT, into a
temporary file without a name.
"""

from __future__ import annotations

import gc
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.department_server.remote_reporter import RemoteReporter
from TotalSegmentatorEngine.department_server.server_task import ServerAnswer, ServerOrder
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.pipeline.cache import EngineCache
from TotalSegmentatorEngine.pipeline.prepare import prepare
from TotalSegmentatorEngine.pipeline.run_job import segment

if TYPE_CHECKING:
    from distributed import Worker

GPU = "gpu"
"""The resource that administrators give to workers, so that a GPU has one task at a time."""
_TURN_SECONDS = 0.2

_cache = EngineCache()
_turn = threading.Lock()
"""One CT at a time, also in a worker with several threads: the plan of a job counts on the memory that is free."""


@dataclass(frozen=True)
class Readiness:
    """What a worker says before it gets a CT."""

    problem: Problem | None
    """Why it cannot run the job."""
    has_gpu_resource: bool


def readiness(order: ServerOrder, dask_worker: Worker) -> Readiness:
    """Whether this worker can run ``order``; reads a few small files. ``dask_worker`` is given by ``Client.run``."""
    has_gpu = GPU in dask_worker.state.total_resources
    if not isinstance(dask_worker.data, dict):
        reason = "its workers may write images to their disk; they have to be started with --memory-limit 0"
        return Readiness(Problem("SERVER_CANNOT_RUN_JOB", {"reason": reason}), has_gpu)
    try:
        prepare(order.task())
    except SegmentationError as error:
        return Readiness(error.problem, has_gpu)
    return Readiness(None, has_gpu)


def segment_for_client(order: ServerOrder, voxels: np.ndarray) -> ServerAnswer:
    """Segments ``voxels`` (k, j, i) in HU. Never raises: Dask's log would quote the arguments."""
    from distributed import get_worker

    worker = get_worker()
    reporter = RemoteReporter(worker, worker.get_current_task())
    try:
        while not _turn.acquire(timeout=_TURN_SECONDS):
            reporter.check_cancelled()
        try:
            result = segment(Volume(voxels, order.geometry), prepare(order.task()), _cache, reporter)
        finally:
            _turn.release()
    except Exception as error:  # noqa: BLE001 - the last boundary on this side; what was not foreseen is logged here
        return ServerAnswer(problem=problem_of(error), warnings=reporter.warnings)
    finally:
        gc.collect()
    return ServerAnswer(result=result, warnings=reporter.warnings)
