"""One job: its folder, the hand-over of its CT, its request and its events."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import SegmentationError
from TotalSegmentatorWire.job_folder import (
    CANCEL_FILE,
    EVENTS_FILE,
    create_owned_folder,
    jobs_folder,
    new_id,
    results_folder,
)
from TotalSegmentatorWire.messages.segment import EVENTS, SegmentRequest, decode

from TotalSegmentatorModuleLib.background.line_reader import LineReader
from TotalSegmentatorModuleLib.segment.ct_transfer import CtKey, CtTransfer, write_header
from TotalSegmentatorModuleLib.segment.job_types import CtSource, JobSettings

_ATTEMPTS = 2


class Job:
    """A job and its present attempt. An attempt has its own id and folder; a second one follows when the worker does
    not hold the CT that it was thought to hold, or ended before it took the job up."""

    def __init__(self, ct: CtSource, settings: JobSettings, work_folder: Path) -> None:
        self.ct = ct
        self.settings = settings
        self.fraction = 0.0
        """0..1, the largest that was told; it never falls, not even with a new attempt."""
        self.id = ""
        self.folder = Path()
        self.ct_id = ""
        self.transfer: CtTransfer | None = None
        """None when the worker holds the CT already."""
        self.is_requested = False
        self.is_accepted = False
        self._attempts_left = _ATTEMPTS
        self._work_folder = work_folder
        self._lines: LineReader | None = None
        self._events: deque[Any] = deque()

    @property
    def may_begin_again(self) -> bool:
        return self._attempts_left > 0

    @property
    def result_folder(self) -> Path:
        """Where the worker puts the finished result of this attempt."""
        return results_folder(self._work_folder) / self.id

    def begin_attempt(self, key: CtKey, held_ct_id: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        """A fresh id and folder. ``held_ct_id`` names the CT if the worker holds it. Raises OSError."""
        self._attempts_left -= 1
        self.id = new_id()
        self.folder = create_owned_folder(jobs_folder(self._work_folder), self.id)
        self.ct_id = held_ct_id or new_id()
        self.is_requested = self.is_accepted = False
        self._lines = LineReader(self.folder / EVENTS_FILE)
        self._events.clear()
        if held_ct_id:
            self.transfer = None
            write_header(self.folder, held_ct_id, key)
        else:
            self.transfer = CtTransfer(self.ct, self.folder, self.ct_id, clock)

    def request(self) -> SegmentRequest:
        """The request for the present attempt."""
        return SegmentRequest(
            job_id=self.id,
            job_folder=str(self.folder),
            results_folder=str(self.result_folder.parent),
            ct_id=self.ct_id,
            ct_is_cached=self.transfer is None,
            model=self.settings.model,
            models_folder=str(self.settings.models_folder),
            structures=self.settings.structures,
            device=self.settings.device,
            options=self.settings.options.to_json(),
        )

    def new_events(self) -> Iterator[Any]:
        """Events since the last call; lines that are not of this version are left out.

        What is not taken (because the caller stopped, or an exception stopped it) comes with the next call.
        """
        for line in self._lines.poll() if self._lines else []:
            with contextlib.suppress(SegmentationError):  # damaged; if nothing follows, the end of the worker shows
                self._events.append(decode(line, EVENTS))
        while self._events:
            event = self._events.popleft()
            if getattr(event, "job_id", None) == self.id:
                yield event

    def leave_cancel_file(self) -> None:
        """The file that the worker looks for between two tiles. Raises OSError."""
        (self.folder / CANCEL_FILE).touch()

    def close(self) -> None:
        """Let go of the files."""
        if self.transfer is not None:
            self.transfer.close()
