"""Runs background tasks, one at a time: a task is a generator that a timer drives, a little at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from TotalSegmentatorWire.errors.problem import Problem, SegmentationError

from TotalSegmentatorModuleLib.background.process_failures import problem_of_os_error

Task = Generator[int, None, Any]
"""Each value that it yields is how many milliseconds may pass before it goes on; it never works for longer than 20 ms
in between. What it returns is its result."""

_RETRY_MS = 1000


class TaskCancelledError(Exception):
    """Raised in a task where it waits, when the task is to stop.

    Most tasks let it pass. One that has to ask a process first catches it, and may go on until the process has ended.
    """

    def __init__(self, reason: Problem | None = None) -> None:
        super().__init__()
        self.reason = reason
        """What to report in place of a plain "cancelled"."""


@dataclass(frozen=True)
class TaskEnd:
    """How a task ended: with a result, cancelled, or with a problem."""

    result: Any = None
    is_cancelled: bool = False
    problem: Problem | None = None


class Timer(Protocol):
    """repeating_timer.Ticker; tests have one without Qt."""

    def start(self) -> None:
        """Call the tick as soon as possible, and again after as many milliseconds as it returns; None: no more."""

    def dispose(self) -> None: ...


def ignore(*_arguments: Any) -> None:
    """For a caller that does not listen."""


class TaskRunner:
    """Runs one task at a time. Nothing here knows Qt: ``make_timer`` gets the tick and returns the timer that calls it.

    ``on_busy(is_busy, is_cancelling)`` is called when a task begins, is being cancelled and has ended.
    ``tidy_up`` is called with every tick, with or without a task; it returns when it wants to be called again, as the
    tick does. ``work_folder`` is where tasks write: an OSError is explained by the room there.
    """

    def __init__(
        self,
        make_timer: Callable[[Callable[[], int | None]], Timer],
        work_folder: Path,
        on_busy: Callable[[bool, bool], None] = ignore,
        tidy_up: Callable[[], int | None] = ignore,
    ) -> None:
        self._timer = make_timer(self._tick)
        self._work_folder = work_folder
        self._on_busy = on_busy
        self._tidy_up = tidy_up
        self._task: Task | None = None
        self._on_end: Callable[[TaskEnd], None] = ignore
        self._thrown: Exception | None = None
        self._is_stepping = False
        self._is_cancelling = False

    @property
    def is_busy(self) -> bool:
        return self._task is not None

    @property
    def is_cancelling(self) -> bool:
        return self.is_busy and self._is_cancelling

    def start(self, task: Task, on_end: Callable[[TaskEnd], None]) -> None:
        """Run ``task``, from the next tick on. ``on_end`` may start another one. Raises RuntimeError while busy."""
        if self.is_busy:
            raise RuntimeError("a background task is running already")
        self._task, self._on_end, self._thrown, self._is_cancelling = task, on_end, None, False
        self._on_busy(True, False)
        self._timer.start()

    def cancel(self, reason: Problem | None = None) -> None:
        """Ask the task, if there is one, to stop; ``on_end`` follows, at once where the task stops at once."""
        if not self.is_busy or self._is_cancelling:
            return
        self._is_cancelling = True
        self._thrown = TaskCancelledError(reason)
        if not self._is_stepping:
            self._step()
        if self.is_busy:
            self._on_busy(True, True)
        self._timer.start()

    def stop(self) -> None:
        """End the task at once; ``on_end`` is not called."""
        task, self._task = self._task, None
        if task is None:
            return
        if not self._is_stepping:  # else it ends as soon as it waits
            task.close()
        self._on_busy(False, False)
        self._timer.start()

    def wake(self) -> None:
        """There is something to tidy up."""
        self._timer.start()

    def dispose(self) -> None:
        """Stop for good: the application quits or the module is reloaded."""
        self._timer.dispose()
        self.stop()

    # -- inside --------------------------------------------------------------------------------------------------------

    def _tick(self) -> int | None:
        try:
            tidying = self._tidy_up()
        except Exception as error:
            logging.exception("The traces of background tasks could not be followed")
            tidying, self._thrown = _RETRY_MS, error
        waits = [tidying, self._step() if self.is_busy else None]
        return min((wait for wait in waits if wait is not None), default=None)

    def _step(self) -> int | None:
        """Let the task go on until it waits again; returns for how many milliseconds, None when it has ended."""
        task, error = self._task, self._thrown
        self._thrown = None
        self._is_stepping = True
        try:
            wait = next(task) if error is None else task.throw(error)
        except StopIteration as stop:
            end = TaskEnd(stop.value)
        except TaskCancelledError as cancelled:
            end = TaskEnd(is_cancelled=cancelled.reason is None, problem=cancelled.reason)
        except SegmentationError as failure:
            end = TaskEnd(problem=failure.problem)
        except OSError as failure:
            logging.error("A background task failed: %s: %s", type(failure).__name__, failure.strerror)  # no path
            end = TaskEnd(problem=problem_of_os_error(failure, self._work_folder))
        except Exception as failure:
            logging.exception("A background task failed")
            end = TaskEnd(problem=Problem("INTERNAL_ERROR", {"kind": type(failure).__name__}))
        else:
            end = None
        finally:
            self._is_stepping = False
        if task is not self._task:  # stopped meanwhile
            task.close()
            return None
        if end is None:
            return wait
        self._task = None
        self._on_busy(False, False)
        self._on_end(end)
        self._timer.start()  # to tidy up
        return None
