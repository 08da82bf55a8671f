"""Shares of this computer's cores, so that processes that compute side by side don't compete for the same ones."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path


def core_shares(count: int, cpu_folder: Path = Path("/sys/devices/system/cpu")) -> list[list[int]]:
    """``count`` lists of CPU numbers; both threads of a core are in the same one.

    Empty where the cores are unknown (all systems but Linux) or fewer than ``count``.
    """
    try:
        cpus = sorted(os.sched_getaffinity(0))
        cores: dict[str, list[int]] = {}
        for cpu in cpus:
            siblings = (cpu_folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text().strip()
            cores.setdefault(siblings, []).append(cpu)
    except (AttributeError, OSError):
        return []
    groups = list(cores.values())
    if count > len(groups):
        return []
    edges = [number * len(groups) // count for number in range(count + 1)]
    return [[cpu for group in groups[low:high] for cpu in group] for low, high in pairwise(edges)]
