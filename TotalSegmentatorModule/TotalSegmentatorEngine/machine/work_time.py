"""How long a step of a job worked, without the time in which other programs had the processor.

Elapsed time says nothing of the next job if the computer was busy with something else. A step that computes on the
processor takes at most the processor time that it used, be it one thread's or the sum of several.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from TotalSegmentatorEngine.machine.paces import SHORT_SECONDS


@dataclass(frozen=True)
class Spent:
    """Seconds of the clock, and of all processors in this process: since whenever, or of a step."""

    elapsed: float = 0.0
    computed: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.elapsed + other.elapsed, self.computed + other.computed)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.elapsed - other.elapsed, self.computed - other.computed)

    @property
    def worked(self) -> float:
        """Seconds that a step of the processor takes where nothing disturbs it; never more than have elapsed.

        Of several threads that had to share one processor with other programs, up to as many times too much. What took
        no time to speak of is not corrected: some systems count processor time in steps of 16 ms.
        """
        elapsed = max(self.elapsed, 0.0)
        return elapsed if elapsed < SHORT_SECONDS else min(elapsed, max(self.computed, SHORT_SECONDS))


def now() -> Spent:
    """A moment; the difference of two of them is what passed between them."""
    return Spent(time.monotonic(), time.process_time())
