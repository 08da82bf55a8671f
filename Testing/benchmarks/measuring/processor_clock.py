"""What the processors of the computer did: how much of them a program used, and how much others had."""

from __future__ import annotations

import os

import psutil


class ProcessorClock:
    """What the processors do from when it is made."""

    def __init__(self) -> None:
        self._begun = self._now()

    def read(self) -> tuple[float, float]:
        """Seconds that programs of this process have used, and the share 0..1 of all processors that others had."""
        children, own, total, idle = (now - begun for now, begun in zip(self._now(), self._begun, strict=True))
        others = (total - idle - children - own) / max(total, 1e-9)
        return children, min(max(others, 0.0), 1.0)

    @staticmethod
    def _now() -> tuple[float, float, float, float]:
        """Seconds of this process's children that have ended, of itself, of all processors, and of idle ones."""
        times, system = os.times(), psutil.cpu_times()
        named = system._asdict()
        total = sum(named.values()) - named.get("guest", 0.0) - named.get("guest_nice", 0.0)  # a part of user and nice
        idle = named["idle"] + named.get("iowait", 0.0)
        return times.children_user + times.children_system, times.user + times.system, total, idle
