"""One attempt at a job: its folder, its request and its events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
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
from TotalSegmentatorWire.messages.model_request import requests_to_json
from TotalSegmentatorWire.messages.segment import EVENTS, SegmentRequest, decode

from TotalSegmentatorModuleLib.background.line_reader import LineReader
from TotalSegmentatorModuleLib.segment.job_types import JobSettings


class Attempt:
    """An attempt has its own id and folder. A second one follows when the worker does not hold the CT that it was
    thought to hold, or ended before it took the job up. Raises OSError when made."""

    def __init__(self, work_folder: Path) -> None:
        self.id = new_id()
        self.folder = create_owned_folder(jobs_folder(work_folder), self.id)
        self.result_folder = results_folder(work_folder) / self.id
        """Where the worker puts the finished result."""
        self.is_requested = False
        self.is_accepted = False
        self._lines = LineReader(self.folder / EVENTS_FILE)

    def request(self, settings: JobSettings, ct_id: str, ct_is_cached: bool) -> SegmentRequest:
        return SegmentRequest(
            job_id=self.id,
            job_folder=str(self.folder),
            results_folder=str(self.result_folder.parent),
            ct_id=ct_id,
            ct_is_cached=ct_is_cached,
            requests=requests_to_json(settings.requests),
            models_folder=str(settings.models_folder),
            device=settings.device,
            options=settings.options.to_json(),
            server=None if settings.server is None else settings.server.to_json(),
        )

    def new_events(self) -> Iterator[Any]:
        """Events since the last call; lines that are not of this version are left out."""
        for line in self._lines.poll():
            with contextlib.suppress(SegmentationError):  # damaged; if nothing follows, the end of the worker shows
                event = decode(line, EVENTS)
                if getattr(event, "job_id", None) == self.id:
                    yield event

    def leave_cancel_file(self) -> None:
        """The file that the worker looks for between two tiles; without room for it the request alone must do."""
        with contextlib.suppress(OSError):
            (self.folder / CANCEL_FILE).touch()
