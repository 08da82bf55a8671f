"""Requests that nobody answers: what the user will probably want next, and what of a job first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class WarmUpRequest:
    """A job with these models may be asked for soon: load what it runs first. Nothing answers. A job, or another of
    these, ends what does not serve it."""

    KIND: ClassVar[str] = "warm_up"
    models_folder: str
    requests: list[dict[str, Any]]
    """As of SegmentRequest, and all that follows."""
    device: str = "auto"
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PriorityRequest:
    """Compute this structure before others, where networks of the job are left that find it. Nothing answers."""

    KIND: ClassVar[str] = "priority"
    job_id: str
    structure: str
    """Name of a structure of the job; of several requests the latest counts most."""
