"""One job on the department server: asks which workers can run it, sends the CT to one, follows the job, takes its
result.

Everything that may take long runs in a thread, so that a cancelled job ends here at once; the workers end it between
two tiles.
"""

from __future__ import annotations

import json
import queue
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError
from TotalSegmentatorWire.messages.plan import plan_from_json
from TotalSegmentatorWire.messages.segment import Stage, problem_from_json

from TotalSegmentatorEngine.cluster.connection import present_workers
from TotalSegmentatorEngine.cluster.versions import check_workers
from TotalSegmentatorEngine.department_server.remote_reporter import PLAN, PROGRESS, TOPIC
from TotalSegmentatorEngine.department_server.remote_segmentation import GPU, Readiness, readiness, segment_for_client
from TotalSegmentatorEngine.department_server.server_task import ServerAnswer, ServerOrder
from TotalSegmentatorEngine.imaging.geometry import Volume
from TotalSegmentatorEngine.job.listening import listening
from TotalSegmentatorEngine.job.reporting import Reporter
from TotalSegmentatorEngine.job.task import SegmentationResult

if TYPE_CHECKING:
    from distributed import Client, Future

Answer = TypeVar("Answer")

LONGEST_WAIT_SECONDS = 600.0
"""For a free worker: about three full jobs of others on a GPU."""
_POLL_SECONDS = 0.1


class ServerJob:
    """One order on a connected client. ``longest_wait``: for a free worker, in seconds."""

    def __init__(
        self, client: Client, order: ServerOrder, reporter: Reporter, longest_wait: float = LONGEST_WAIT_SECONDS
    ) -> None:
        self._client = client
        self._order = order
        self._reporter = reporter
        self._longest_wait = longest_wait
        self._key = f"segmentation-{uuid.uuid4().hex}"
        self._reports: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._is_started = False

    def run(self, volume: Volume) -> SegmentationResult:
        """Raises SegmentationError: CANCELLED, SERVER_CANNOT_RUN_JOB, SERVER_LACKS_MODEL, SERVER_BUSY, SERVER_LOST,
        CLUSTER_VERSIONS_DIFFER, STRUCTURE_UNKNOWN."""
        self._reporter.progress(Stage.ASKING_SERVER, 0.0)
        workers, resources = self._suitable_workers(time.monotonic() + self._longest_wait)
        self._reporter.progress(Stage.SENDING_TO_SERVER, 0.0)
        voxels = self._sent(volume.array, workers)
        self._client.subscribe_topic(TOPIC, self._on_report)
        future = self._client.submit(
            segment_for_client, self._order, voxels, key=self._key, workers=workers, resources=resources,
            retries=0, pure=False,
        )  # fmt: skip
        del voxels
        try:
            answer = self._followed(future)
        finally:
            future.release()
        return self._result(answer)

    # -- before the CT leaves this computer ----------------------------------------------------------------------------

    def _suitable_workers(self, deadline: float) -> tuple[list[str], dict[str, float] | None]:
        """Addresses of the workers that can run the job, and what a task there takes of their resources."""
        while not (workers := self._asked(lambda: list(present_workers(self._client)))):
            if time.monotonic() > deadline:
                raise SegmentationError("SERVER_BUSY", seconds=self._longest_wait)
            self._pause()
        differing = self._asked(lambda: check_workers(self._client, workers))
        same = [worker for worker in workers if worker not in differing]
        answers = self._asked(lambda: self._client.run(readiness, self._order, workers=same, on_error="return"))
        ready = {worker: answer for worker, answer in answers.items() if isinstance(answer, Readiness)}
        suitable = [worker for worker, answer in ready.items() if answer.problem is None]
        if not suitable:
            problems = [answer.problem for answer in ready.values()] + [each.problem for each in differing.values()]
            raise _error(problems[0] if problems else None)
        has_gpus = all(ready[worker].has_gpu_resource for worker in suitable)
        return suitable, {GPU: 1} if has_gpus else None

    def _sent(self, voxels: np.ndarray, workers: list[str]) -> Future:
        """The voxels in the memory of the worker that has least to do."""
        waiting = self._asked(lambda: self._client.processing(workers))
        target = min(workers, key=lambda worker: len(waiting.get(worker, ())))
        # without hash: the same CT does not get the same name, by which it could be recognized
        return self._asked(
            lambda: self._client.scatter(np.ascontiguousarray(voxels), workers=[target], direct=False, hash=False)
        )

    # -- while it runs -------------------------------------------------------------------------------------------------

    def _followed(self, future: Future) -> ServerAnswer:
        deadline = time.monotonic() + self._longest_wait
        self._reporter.progress(Stage.ASKING_SERVER, 0.0)
        while future.status == "pending" and self._client.status == "running":
            self._reporter.check_cancelled()
            if not self._is_started and time.monotonic() > deadline:
                raise SegmentationError("SERVER_BUSY", seconds=self._longest_wait)
            self._pause()
        if future.status != "finished":  # error: the task never raises, so the workers that had it have gone
            raise SegmentationError("SERVER_LOST")
        answer = self._asked(future.result)
        self._pass_on_reports()
        return answer

    def _on_report(self, event: tuple[float, dict[str, Any]]) -> None:
        """Called in Dask's thread. The events of all jobs come here."""
        report = event[1]
        if report["job"] == self._key:
            self._reports.put(report)

    def _pause(self) -> None:
        time.sleep(_POLL_SECONDS)
        self._reporter.check_cancelled()
        self._pass_on_reports()

    def _pass_on_reports(self) -> None:
        while not self._reports.empty():
            report = self._reports.get()
            self._is_started = True
            content = json.loads(report["content"])
            if report["kind"] == PROGRESS:
                self._reporter.progress(*content)
            elif report["kind"] == PLAN:
                self._reporter.plan(plan_from_json(content))
            else:
                self._reporter.warning(problem_from_json(content))

    def _asked(self, question: Callable[[], Answer]) -> Answer:
        """What Dask answers. Raises SegmentationError: CANCELLED, SERVER_LOST."""
        import asyncio
        from concurrent.futures import CancelledError

        try:
            return listening(question, self._reporter.check_cancelled)
        except SegmentationError as error:
            if error.code == "SCHEDULER_LOST":
                raise SegmentationError("SERVER_LOST") from error
            raise
        except (OSError, TimeoutError, CancelledError, asyncio.CancelledError) as error:
            raise SegmentationError("SERVER_LOST") from error

    # -- the answer ----------------------------------------------------------------------------------------------------

    def _result(self, answer: ServerAnswer) -> SegmentationResult:
        for warning in answer.warnings:
            self._reporter.warning(warning)
        result = answer.result
        if result is None:
            raise _error(answer.problem)
        if any(labels.shape != self._order.shape or labels.dtype != np.uint8 for labels in result.layers):
            raise SegmentationError("SERVER_CANNOT_RUN_JOB", reason="its labels do not have the size of the CT")
        return result


def _error(problem: Problem | None) -> SegmentationError:
    """What the server could not do, in words that tell where it failed: what to do there is not to be done here."""
    if problem is None:
        return SegmentationError("SERVER_LOST")
    if problem.code.startswith("MODEL_"):
        return SegmentationError("SERVER_LACKS_MODEL", model=str(problem.values.get("model", "?")))
    if problem.code in _SAME_EVERYWHERE:
        return SegmentationError(problem.code, **problem.values)
    return SegmentationError("SERVER_CANNOT_RUN_JOB", reason=problem.what.rstrip("."))


_SAME_EVERYWHERE = (
    "CANCELLED", "STRUCTURE_UNKNOWN", "PROFILE_UNKNOWN", "CLUSTER_VERSIONS_DIFFER", "SERVER_CANNOT_RUN_JOB"
)  # fmt: skip
"""Codes of problems whose sentences are true on whichever side they were met."""
