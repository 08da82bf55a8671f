"""The loop over the cases of a run on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from TotalSegmentatorWire.errors.problem import SegmentationError

from TotalSegmentatorEngine.batch.dask_engine.arguments import ClusterOptions
from TotalSegmentatorEngine.batch.dask_engine.dispatch import Dispatch
from TotalSegmentatorEngine.batch.dask_engine.local_workers import local_client
from TotalSegmentatorEngine.batch.dask_engine.run_mark import run_mark
from TotalSegmentatorEngine.batch.dask_engine.shared_places import (
    SharedPlace,
    absolute_case,
    absolute_task,
    missing,
    shared_places,
)
from TotalSegmentatorEngine.batch.dask_engine.work import Order, Stop, work
from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import NOTHING_AGAIN, Attempt, Redo, done_before
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.cluster.connection import connect
from TotalSegmentatorEngine.cluster.versions import check_workers

if TYPE_CHECKING:
    from distributed import Client

LOCAL_PATIENCE_SECONDS = 120.0
"""Until worker processes on this computer must be there."""


def run_on_cluster(
    cases: Sequence[Case],
    task: CaseTask,
    folder: BatchFolder,
    cluster: ClusterOptions,
    on_outcome: Callable[[Case, Attempt], None],
    is_cancelled: Callable[[], bool],
    say: Callable[[str], None],
    redo: Redo = NOTHING_AGAIN,
) -> None:
    """As ``run_cases``: every case is done once, and ``on_outcome`` called for each as it comes.

    ``folder`` has been created. ``say`` tells the user of workers that come late or have ended.
    Raises SegmentationError: with one of case_steps.STOPS_THE_RUN; as ``connect``; CLUSTER_VERSIONS_DIFFER and
    CLUSTER_PLACE_DIFFERS where no worker can be used; CLUSTER_NO_WORKERS, SCHEDULER_LOST. KeyboardInterrupt.
    """

    def check_cancelled() -> None:
        if is_cancelled():
            raise SegmentationError("CANCELLED")

    to_do = []
    for case in cases:
        check_cancelled()
        outcome = done_before(case, task, folder, redo)
        if outcome is None:
            to_do.append(absolute_case(case))
        else:
            on_outcome(case, Attempt(outcome))
    to_do.sort(key=lambda case: folder.deaths(case.id))  # one over which workers have ended comes last
    if not to_do:
        return
    patience = LOCAL_PATIENCE_SECONDS if cluster.is_local else None
    with _client(cluster, task.task.device, say) as client, run_mark(folder.private) as mark:
        shared = absolute_task(task)
        places = shared_places(mark, shared, to_do)
        order = Order(shared, folder.path.absolute(), mark.absolute(), redo)
        dispatch = Dispatch(client, work, (order,), lambda new: _unusable(client, new, places), say, patience)
        with closing(dispatch.run(to_do, check_cancelled)) as answers:
            for case, answer in answers:
                if isinstance(answer, Stop):
                    raise SegmentationError(answer.problem.code, **answer.problem.values)
                on_outcome(case, answer)


@contextmanager
def _client(cluster: ClusterOptions, device: str, say: Callable[[str], None]) -> Iterator[Client]:
    if cluster.is_local:
        with local_client(device, cluster.workers, cluster.tls(), say) as client:
            yield client
    else:
        with connect(cluster.scheduler(), cluster.tls()) as client:
            yield client


def _unusable(client: Client, workers: list[str], places: tuple[SharedPlace, ...]) -> dict[str, SegmentationError]:
    """Reasons by worker: what runs there, then what it sees."""
    problems = check_workers(client, workers)
    others = [worker for worker in workers if worker not in problems]
    for worker, option in client.run(missing, places, workers=others, on_error="return").items() if others else ():
        if isinstance(option, str):
            problems[worker] = SegmentationError("CLUSTER_PLACE_DIFFERS", option=option)
    return problems
