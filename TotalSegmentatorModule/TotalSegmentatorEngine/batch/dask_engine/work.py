"""What a worker of the cluster does with a case. Its networks stay in memory from one case to the next."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from pathlib import Path

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.batch.dask_engine.dispatch import Busy
from TotalSegmentatorEngine.batch.dask_engine.run_mark import MarkWatch
from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import Attempt, Redo, attempt
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import SilentReporter
from TotalSegmentatorEngine.pipeline.cache import EngineCache


@dataclass(frozen=True)
class Order:
    """What every case of a run needs beside the case."""

    task: CaseTask
    output: Path
    mark: Path
    """See run_mark.py."""
    redo: Redo


@dataclass(frozen=True)
class Stop:
    """Every other case would fail alike."""

    problem: Problem


def work(case: Case, order: Order) -> Attempt | Busy | Stop:
    """Runs on a worker, one call at a time. It raises nothing: Dask's log would quote the paths in the arguments."""
    _be_quiet()
    try:
        reporter = _WatchingReporter(MarkWatch(order.mark))
        made = attempt(case, order.task, BatchFolder(order.output), _cache(), reporter, order.redo)
    except Exception as error:  # noqa: BLE001 - crosses as a problem
        problem = problem_of(error)
        return Busy() if problem.code == "CANCELLED" else Stop(problem)  # given up when the run was stopped
    return Busy() if made.outcome is None else made


@functools.cache
def _cache() -> EngineCache:
    return EngineCache()


@functools.cache
def _be_quiet() -> None:
    """Warnings of libraries may quote what they read; without a handler Python prints them."""
    logging.getLogger().addHandler(logging.NullHandler())


class _WatchingReporter(SilentReporter):
    def __init__(self, watch: MarkWatch) -> None:
        self._watch = watch

    def check_cancelled(self) -> None:
        self._watch.check()
