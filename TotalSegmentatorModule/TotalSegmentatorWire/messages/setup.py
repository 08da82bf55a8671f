"""What the set-up process reports while it works: JSON lines like a job's events, in a file that the panel polls.

Warnings, failures and cancellation are the events of segment.py with the job id SETUP_JOB.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from TotalSegmentatorWire.messages.segment import EVENTS

SETUP_JOB = "setup"


class SetupStep:
    """What the set-up is doing; a progress event names one of them."""

    CHECKING = "checking"
    DOWNLOADING_PACKAGES = "downloading_packages"
    INSTALLING_PACKAGES = "installing_packages"
    TESTING_ENGINE = "testing_engine"
    DOWNLOADING_MODEL = "downloading_model"
    UNPACKING_MODEL = "unpacking_model"
    CONVERTING_MODEL = "converting_model"
    CHECKING_MODEL = "checking_model"

    ALL = (
        CHECKING,
        DOWNLOADING_PACKAGES,
        INSTALLING_PACKAGES,
        TESTING_ENGINE,
        DOWNLOADING_MODEL,
        UNPACKING_MODEL,
        CONVERTING_MODEL,
        CHECKING_MODEL,
    )


@dataclass(frozen=True)
class SetupProgressEvent:
    KIND: ClassVar[str] = "setup_progress"
    step: str
    """One of SetupStep.ALL."""
    item: str
    """Name of the package or of the model's part; empty where there is none."""
    fraction: float
    """0..1 of the whole set-up; never falls."""
    done_bytes: int = 0
    """Of the download under way, what was there before included."""
    total_bytes: int | None = None
    bytes_per_second: float | None = None
    seconds_left: float | None = None
    """Of the download under way; None while unknown."""


@dataclass(frozen=True)
class SetupFinishedEvent:
    """Everything that was asked for is installed."""

    KIND: ClassVar[str] = "setup_finished"
    seconds: float


SETUP_EVENTS = EVENTS | {event.KIND: event for event in (SetupProgressEvent, SetupFinishedEvent)}
