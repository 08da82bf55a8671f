"""Asks the resident worker what jobs would do, while the user is still choosing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.job_folder import remove_folder
from TotalSegmentatorWire.messages.model_request import ModelRequest, requests_to_json
from TotalSegmentatorWire.messages.plan import Plan, plan_from_json
from TotalSegmentatorWire.messages.segment import CancelledEvent, CancelRequest, FailedEvent, PlanEvent, PlanRequest

from TotalSegmentatorModuleLib.segment.ct_transfer import CtKey, key_of
from TotalSegmentatorModuleLib.segment.job_attempt import Attempt
from TotalSegmentatorModuleLib.segment.job_types import CtSource, JobSettings
from TotalSegmentatorModuleLib.segment.worker_manager import WorkerManager
from TotalSegmentatorModuleLib.segment.worker_process import WorkerProcess

REST_SECONDS = 0.4
"""A choice is asked about when it has not changed for so long."""
_POLL_MS, _STARTING_MS = 50, 300


@dataclass(frozen=True)
class ExpectedPlan:
    """What a job would do."""

    ct_id: str
    """Of the CT's node."""
    requests: tuple[ModelRequest, ...]
    plan: Plan
    is_chosen: bool
    """Whether it was the first of those that were asked about together."""


@dataclass(frozen=True)
class _Question:
    """One job that somebody may start."""

    ct: CtKey
    settings: JobSettings


class PlanQuestions:
    """What was asked last, and the answers. No worker is started for them.

    ``step`` is called by a timer while no job runs. ``clock`` gives seconds.
    """

    def __init__(self, on_plan: Callable[[ExpectedPlan], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._on_plan = on_plan
        self._clock = clock
        self._ct_id = ""
        self._questions: tuple[_Question, ...] = ()
        self._answers: dict[_Question, Plan | None] = {}
        self._due: float | None = None
        self._open: dict[_Question, Attempt] = {}
        self._worker: WorkerProcess | None = None

    def ask(self, ct_id: str, ct: CtSource, jobs: Sequence[JobSettings]) -> None:
        """From now on only these are of interest; ``ct_id``: the node's. What was answered before is told at once."""
        try:
            key = key_of(ct)
        except SegmentationError:  # it has left the scene
            return
        questions = tuple(_Question(key, settings) for settings in jobs)
        if questions != self._questions:
            self._ct_id, self._questions = ct_id, questions
            self._answers = {each: plan for each, plan in self._answers.items() if each.ct == key}
            self._due = self._clock() + REST_SECONDS
        for question in questions:
            self._tell(question)

    def forget(self, manager: WorkerManager | None) -> None:
        """A job begins, or the worker ends: the machine will be another one for the next plan."""
        self._close(manager, list(self._open))
        self._questions, self._due = (), None
        self._answers.clear()

    def step(self, manager: WorkerManager | None) -> int | None:
        """Ask and listen; returns for how many milliseconds the next step can wait, None when there is none."""
        if manager is None:
            return None
        self._listen(manager)
        if self._due is None:
            return _POLL_MS if self._open else None
        left = self._due - self._clock()
        if left > 0:
            return int(1000 * left) + 1
        worker = manager.worker
        if worker is None:
            return None  # it is asked as soon as there is one
        if not worker.hello:
            return _STARTING_MS
        self._due = None
        self._send(manager, worker)
        return _POLL_MS

    def _send(self, manager: WorkerManager, worker: WorkerProcess) -> None:
        self._close(manager, [each for each in self._open if each not in self._questions])
        self._worker = worker
        for question in self._questions:
            if question in self._open or question in self._answers:
                continue
            try:
                attempt = Attempt(manager.work_folder)
            except OSError as error:  # no room: the choice is only shown without it
                logging.info("A plan could not be asked for: %s", type(error).__name__)
                return
            self._open[question] = attempt
            worker.send(_request(attempt, question, manager.held_ct(question.ct) or ""))

    def _listen(self, manager: WorkerManager) -> None:
        ended = list(self._open) if manager.worker is not self._worker else []
        for question, event in self._events():
            if isinstance(event, PlanEvent):
                self._answers[question] = _plan_of(event)
                self._tell(question)
            elif isinstance(event, FailedEvent):
                self._answers[question] = None
            if isinstance(event, (PlanEvent, FailedEvent, CancelledEvent)):
                ended.append(question)
        self._close(manager, [each for each in ended if each in self._open], is_answered=True)

    def _events(self) -> Iterator[tuple[_Question, object]]:
        for question, attempt in list(self._open.items()):
            for event in attempt.new_events():
                yield question, event

    def _tell(self, question: _Question) -> None:
        plan = self._answers.get(question)
        if plan is not None and question in self._questions:
            is_chosen = question == self._questions[0]
            self._on_plan(ExpectedPlan(self._ct_id, question.settings.requests, plan, is_chosen))

    def _close(self, manager: WorkerManager | None, questions: Sequence[_Question], is_answered: bool = False) -> None:
        for question in questions:
            attempt = self._open.pop(question)
            if manager is None:
                remove_folder(attempt.folder)
                continue
            if not is_answered and self._worker is not None:
                self._worker.send(CancelRequest(attempt.id))
            manager.removal.add(attempt.folder)


def _request(attempt: Attempt, question: _Question, ct_id: str) -> PlanRequest:
    settings = question.settings
    return PlanRequest(
        job_id=attempt.id,
        job_folder=str(attempt.folder),
        ct_id=ct_id,
        shape=list(question.ct.shape),
        ijk_to_ras=list(question.ct.ijk_to_ras),
        requests=requests_to_json(settings.requests),
        models_folder=str(settings.models_folder),
        device=settings.device,
        options=settings.options.to_json(),
    )


def _plan_of(event: PlanEvent) -> Plan | None:
    try:
        return plan_from_json(event.plan)
    except SegmentationError:  # a damaged plan is as good as none
        return None
