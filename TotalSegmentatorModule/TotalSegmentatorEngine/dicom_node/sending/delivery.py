"""What was delivered to one destination of the objects of one CT, as it stands on disk."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from TotalSegmentatorWire.errors.problem import Problem

from TotalSegmentatorEngine.dicom_node.settings.node_settings import Times
from TotalSegmentatorEngine.imaging.durable_file import read_json, write_json

WAITING, SENT, GIVEN_UP = "waiting", "sent", "given_up"

_LONGEST_PAUSE = 3600.0
"""In seconds."""


@dataclass
class Delivery:
    """Times are seconds since 1970."""

    destination: str
    files: tuple[str, ...]
    """Names of the marked objects."""
    since: float
    """The give-up time counts from here."""
    sent: list[str] = field(default_factory=list)
    """Names of those that the destination has confirmed."""
    state: str = WAITING
    attempts: int = 0
    due: float = 0.0
    """When the next attempt is made."""
    problem: dict[str, Any] = field(default_factory=dict)
    """Code and values of the last failure."""

    @property
    def left(self) -> list[str]:
        return [name for name in self.files if name not in self.sent]

    def confirm(self, name: str) -> None:
        self.sent.append(name)
        if not self.left:
            self.state, self.problem = SENT, {}

    def fail(self, problem: Problem, now: float, times: Times) -> None:
        self.attempts += 1
        self.problem = {"code": problem.code, "values": problem.values}
        self.due = now + min(times.retry_seconds * 2 ** min(self.attempts - 1, 20), _LONGEST_PAUSE)
        if now - self.since >= 3600 * times.give_up_hours:
            self.state = GIVEN_UP

    def write(self, folder: Path) -> None:
        """Raises OSError."""
        write_json(folder / f"{self.destination}.json", dataclasses.asdict(self))


def read_delivery(path: Path) -> Delivery | None:
    """None where the file is missing or spoilt."""
    try:
        delivery = Delivery(**read_json(path) or {})
    except TypeError:
        return None
    delivery.files = tuple(delivery.files)
    return delivery
