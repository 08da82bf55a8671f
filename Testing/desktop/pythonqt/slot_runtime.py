"""What happens around every Python function that Qt or VTK calls: errors are recorded, time is measured.

In Slicer an exception in a slot is printed and the application goes on; with ``--testing`` the exit code is then 1.
Here it is printed and kept in ``SlotRuntime.errors``, which a test asserts to be empty.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_SCHEDULER = Path("/proc/thread-self/schedstat")
_COUNTS_WAITING = _SCHEDULER.is_file()
_THREAD = threading.local()
"""``counters``: the scheduler's file of this thread, kept open, as it is read at every event."""


def own_time() -> float:
    """Seconds of this thread's life without those spent waiting for a free processor (Linux; elsewhere all of them).

    Sleeping and waiting for files count. Without this a busy machine would make every slot look slow.
    """
    now = time.perf_counter()
    if not _COUNTS_WAITING:
        return now
    counters = getattr(_THREAD, "counters", None)
    if counters is None:
        counters = _THREAD.counters = _SCHEDULER.open("rb", buffering=0)
    return now - int(os.pread(counters.fileno(), 100, 0).split()[1]) * 1e-9


class SlotRuntime:
    """Runs Python functions on behalf of the event loop.

    ``errors`` holds the exceptions in the order they happened. ``longest_block`` is the longest time in seconds between
    entering the outermost Python function and returning to the event loop (also by ``processEvents`` inside of it).
    """

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.longest_block = 0.0
        self.longest_block_name = ""
        self._depth = 0
        self._started = 0.0

    def reset_clock(self) -> None:
        """Forget the longest block; one that is running now counts from here."""
        self.longest_block = 0.0
        self.longest_block_name = ""
        self._started = own_time()

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...], default: Any = None) -> Any:
        """Call ``function(*arguments)``; an exception is recorded, printed, and answered with ``default``."""
        if self._depth == 0:
            self._started = own_time()
        self._depth += 1
        try:
            return function(*arguments)
        except Exception as error:  # noqa: BLE001 - Qt cannot carry it; it is recorded for the test and printed
            self.record(error)
            return default
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._note(function)

    def record(self, error: Exception) -> None:
        """Keep an exception that could not be raised to a Python caller."""
        self.errors.append(error)
        traceback.print_exception(error, file=sys.stderr)

    def install_excepthook(self) -> None:
        """Record what VTK reports of its Python observers: it prints through ``sys.excepthook`` and goes on."""

        def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
            if isinstance(error, Exception):
                self.errors.append(error)
            sys.__excepthook__(kind, error, trace)

        self._hook = hook
        sys.excepthook = hook

    def remove_excepthook(self) -> None:
        if sys.excepthook is getattr(self, "_hook", None):
            sys.excepthook = sys.__excepthook__

    @contextlib.contextmanager
    def returned_to_event_loop(self) -> Iterator[None]:
        """Inside, the event loop runs: the clock of the calling slot stops and begins anew afterwards."""
        depth, self._depth = self._depth, 0
        if depth:
            self._note(None)
        try:
            yield
        finally:
            self._depth = depth
            self._started = own_time()

    def _note(self, function: Callable[..., Any] | None) -> None:
        elapsed = own_time() - self._started
        if elapsed > self.longest_block:
            self.longest_block = elapsed
            self.longest_block_name = getattr(function, "__qualname__", repr(function))


RUNTIME = SlotRuntime()
"""The one runtime of the process, as Qt has one application; ``Desktop`` empties it when it starts."""
