"""The runner of background tasks, with a timer that the test turns by hand."""

from __future__ import annotations

import errno

import pytest
from hand_timer import HandTimer
from TotalSegmentatorModuleLib.background.task_runner import TaskCancelledError, TaskEnd, TaskRunner
from TotalSegmentatorWire.errors.problem import Problem, SegmentationError


class User:
    """Whoever starts tasks: ``busy`` and ``ends`` hold what it was called with."""

    def __init__(self, folder, tidy_up=lambda: None) -> None:
        self.timers: list[HandTimer] = []
        self.busy: list[tuple[bool, bool]] = []
        self.ends: list[TaskEnd] = []
        self.runner = TaskRunner(self.make_timer, folder, lambda *states: self.busy.append(states), tidy_up)

    def make_timer(self, tick) -> HandTimer:
        self.timers.append(HandTimer(tick))
        return self.timers[0]

    def start(self, task) -> None:
        self.runner.start(task, self.ends.append)

    def turn(self) -> int | None:
        return self.timers[0].turn()


@pytest.fixture
def user(tmp_path) -> User:
    return User(tmp_path)


def counting(trace: list, count: int = 3):
    """Counts, a step at a time; its last word shows that it has cleared up."""
    try:
        for number in range(count):
            trace.append(number)
            yield 10 + number
        return "counted"
    finally:
        trace.append("cleared up")


def test_task_goes_on_as_often_as_it_asks_for_and_returns_its_result(user):
    trace: list = []
    user.start(counting(trace))
    assert trace == []  # a click returns at once

    assert [user.turn() for _ in range(5)] == [10, 11, 12, 0, None]

    assert trace == [0, 1, 2, "cleared up"]
    assert user.ends == [TaskEnd("counted")]
    assert user.busy == [(True, False), (False, False)]


def test_second_task_is_refused_while_one_runs_and_may_be_started_by_its_end(user):
    user.start(counting([]))
    with pytest.raises(RuntimeError):
        user.start(counting([]))
    user.runner.stop()
    second: list = []
    user.runner.start(counting([], 0), lambda _end: user.start(counting(second)))
    user.turn()
    assert user.runner.is_busy
    user.turn()
    assert second == [0]


def test_cancel_ends_a_task_where_it_waits(user):
    trace: list = []
    user.start(counting(trace))
    user.turn()
    user.runner.cancel()
    assert trace == [0, "cleared up"]
    assert user.ends == [TaskEnd(is_cancelled=True)]
    assert user.busy == [(True, False), (False, False)]


def test_task_that_has_not_begun_is_cancelled(user):
    trace: list = []
    user.start(counting(trace))
    user.runner.cancel()
    assert (trace, user.ends) == ([], [TaskEnd(is_cancelled=True)])


def test_cancel_may_name_a_reason(user):
    user.start(counting([]))
    user.runner.cancel(Problem("INPUT_REMOVED"))
    assert user.ends == [TaskEnd(problem=Problem("INPUT_REMOVED"))]


def test_task_may_take_its_time_to_stop(user):
    def asking():
        try:
            while True:
                yield 30
        except TaskCancelledError:
            yield 20
            raise

    user.start(asking())
    user.turn()
    user.runner.cancel()
    assert user.runner.is_cancelling
    user.runner.cancel()  # a second click changes nothing
    assert user.ends == []
    user.turn()
    assert user.ends == [TaskEnd(is_cancelled=True)]
    assert user.busy == [(True, False), (True, True), (False, False)]
    assert not user.runner.is_cancelling


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SegmentationError("INPUT_REMOVED"), "INPUT_REMOVED"),
        (OSError(errno.ENOSPC, "no room"), "DISK_FULL"),
        (FileNotFoundError(errno.ENOENT, "no such program"), "ENGINE_START_FAILED"),
        (ValueError("a mistake"), "INTERNAL_ERROR"),
    ],
)
def test_exception_is_the_end_of_the_task_alone(user, error, code):
    def failing():
        yield 0
        raise error

    user.start(failing())
    user.turn()
    user.turn()
    assert user.ends[0].problem.code == code
    user.start(counting([], 0))
    user.turn()
    assert user.ends[1] == TaskEnd("counted")


def test_stopped_task_clears_up_and_nobody_hears_of_it(user):
    trace: list = []
    user.start(counting(trace))
    user.turn()
    user.runner.stop()
    assert trace == [0, "cleared up"]
    assert user.ends == []
    assert user.busy == [(True, False), (False, False)]


@pytest.mark.parametrize("act", ["cancel", "stop"])
def test_task_that_is_ended_from_inside_of_its_step_ends_with_that_step(user, act):
    """As when an event loop runs in it, for a dialog, and the user clicks there."""
    trace: list = []

    def nested():
        try:
            getattr(user.runner, act)()
            trace.append("still going")
            yield 0
        finally:
            trace.append("cleared up")

    user.start(nested())
    user.turn()
    if act == "cancel":
        user.turn()
    assert trace == ["still going", "cleared up"]
    assert user.ends == ([TaskEnd(is_cancelled=True)] if act == "cancel" else [])
    assert not user.runner.is_busy


def test_tidying_goes_on_without_a_task_and_the_shorter_wait_counts(tmp_path):
    waits = [5, 500, 30]
    user = User(tmp_path, lambda: waits.pop(0) if waits else None)
    user.start(counting([], 2))
    assert [user.turn() for _ in range(4)] == [5, 11, 0, None]


def test_failure_of_the_tidying_ends_the_task(tmp_path):
    def fail():
        raise RuntimeError

    user = User(tmp_path, fail)
    trace: list = []
    user.start(counting(trace))
    user.turn()
    assert user.ends[0].problem == Problem("INTERNAL_ERROR", {"kind": "RuntimeError"})


def test_disposed_runner_stops_its_task_and_its_timer(user):
    trace: list = []
    user.start(counting(trace))
    user.turn()
    user.runner.dispose()
    assert trace == [0, "cleared up"]
    assert user.timers[0].is_disposed
