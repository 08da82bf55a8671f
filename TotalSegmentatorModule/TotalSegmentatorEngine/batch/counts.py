"""How many CTs of a run were done."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from TotalSegmentatorEngine.batch.running.open_case import Attempt


@dataclass
class Counts:
    done: int = 0
    before: int = 0
    """Had a record already, and a good one."""
    failed: Counter[str] = field(default_factory=Counter)
    """By code; those that failed before, too."""

    @property
    def total(self) -> int:
        return self.done + self.before + sum(self.failed.values())

    def add(self, attempt: Attempt) -> None:
        outcome = attempt.outcome
        if outcome.error is not None:
            self.failed[outcome.error.code] += 1
        elif attempt.ran:
            self.done += 1
        else:
            self.before += 1
