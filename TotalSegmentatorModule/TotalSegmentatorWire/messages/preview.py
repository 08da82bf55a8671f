"""What the worker says of the preview of a job; a part of the events in segment.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class PreviewEvent:
    """What the fast models have found lies complete in ``result_folder``, like a finished result; the job goes on."""

    KIND: ClassVar[str] = "preview"
    job_id: str
    result_folder: str
    """Named by an id of its own."""
    seconds: float
