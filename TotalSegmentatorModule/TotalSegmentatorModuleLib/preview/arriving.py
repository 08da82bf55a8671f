"""A preview that is imported while its job goes on, a part at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from pathlib import Path

TakePreview = Callable[[str], Generator[int, None, None]]
"""Gets the id under which a preview lies among the results; what it returns imports it, a step at a time, and yields
for how many milliseconds to rest. Ended early, it has not touched the scene."""


class ArrivingPreview:
    """At most one. Whatever goes wrong with it is no matter of the job's: ``on_failed`` is called. ``discard`` gets the
    id of one that is not imported to its end."""

    def __init__(self, take: TakePreview, on_failed: Callable[[], None], discard: Callable[[str], None]) -> None:
        self._take = take
        self._on_failed = on_failed
        self._discard = discard
        self._id = ""
        self._steps: Generator[int, None, None] | None = None

    def begin(self, result_folder: str) -> None:
        """It lies complete in ``result_folder``."""
        self.end()
        self._id = Path(result_folder).name
        self._steps = self._take(self._id)

    def step(self, rest_ms: int) -> int:
        """Do a part; returns for how many milliseconds the next one can wait: ``rest_ms`` where there is none."""
        if self._steps is None:
            return rest_ms
        try:
            return next(self._steps)
        except StopIteration:
            self._steps = None
        except Exception:
            self._steps = None
            logging.exception("A preview could not be imported")
            self._on_failed()
        return rest_ms

    def end(self) -> None:
        """What has not arrived by now does not."""
        if self._steps is not None:
            self._steps.close()  # which runs nothing of it where it has not begun
            self._steps = None
            self._discard(self._id)
