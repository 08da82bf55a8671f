"""A process that does cases on one device. It ends with its parent, whatever happens to that."""

from __future__ import annotations

import dataclasses
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from TotalSegmentatorWire.command.log_text import warnings_to_log
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorEngine.batch.inputs.case import Case
from TotalSegmentatorEngine.batch.running.case_task import CaseTask
from TotalSegmentatorEngine.batch.running.open_case import Attempt, Redo
from TotalSegmentatorEngine.batch.running.run_cases import run_cases
from TotalSegmentatorEngine.batch.store.batch_folder import BatchFolder
from TotalSegmentatorEngine.job.error_boundary import problem_of
from TotalSegmentatorEngine.job.reporting import Reporter, SilentReporter


@dataclass(frozen=True)
class Order:
    """What a process is to do; fit to be sent to it."""

    cases: Sequence[Case]
    task: CaseTask
    output: Path
    redo: Redo
    device: str


@dataclass(frozen=True)
class Stop:
    """Why a process has ended before its time: every other case would fail alike."""

    problem: Problem


def run_child(order: Order, parent: Connection) -> None:
    """Sends (id of the case, Attempt) for each case that it has done, and Stop if it has to end. Whatever ``parent``
    sends, or that it has gone, ends the run."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches all processes of a terminal; the parent answers it
    logging.getLogger().addHandler(logging.NullHandler())  # without a handler Python prints warnings, which may quote

    def is_cancelled() -> bool:
        return parent.poll()

    def on_outcome(case: Case, attempt: Attempt) -> None:
        if attempt.ran:
            parent.send((case.id, attempt))

    def reporter_of(case: Case) -> Reporter:
        return _Listener(is_cancelled)

    task = dataclasses.replace(order.task, task=dataclasses.replace(order.task.task, device=order.device))
    try:
        with warnings_to_log():
            folder = BatchFolder(order.output)
            run_cases(order.cases, task, folder, on_outcome, is_cancelled, reporter_of, order.redo)
    except Exception as error:  # noqa: BLE001 - crosses as a problem
        parent.send(Stop(problem_of(error)))
        sys.exit(1)


class _Listener(SilentReporter):
    def __init__(self, is_cancelled: Callable[[], bool]) -> None:
        self._is_cancelled = is_cancelled

    def check_cancelled(self) -> None:
        if self._is_cancelled():
            raise SegmentationError("CANCELLED")
